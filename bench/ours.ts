import { Taskwright, type Worker } from "taskwright";
import type { Handler, Session, Terms } from "./contestant.js";

/** taskwright with its defaults: a worker of concurrency 100, heartbeats, sweeps and the worker registry on. */
export async function openOurs({ place, keepResults }: Terms): Promise<Session> {
  const app = new Taskwright({ broker: place, defaults: { result: { keep: keepResults } } });
  let handler: Handler = () => 0;
  let worker: Worker | undefined;
  let ran = 0;
  const add = app.task("add", (a: number, b: number, _payload?: string) => handler(a, b));
  await app.connect();
  return {
    enqueue: (...job) => add.enqueue(...job),
    enqueueMany: (jobs) => add.enqueueMany(jobs),
    enqueueLater: (jobs) => add.with({ delay: "1d" }).enqueueMany(jobs),
    call: (...job) => add.enqueue(...job).result(),
    startWorker: (given) => {
      handler = (a, b) => {
        ran++;
        return given(a, b);
      };
      worker = app.worker();
      return worker.start();
    },
    remaining: async () => {
      const queues = await app.inspect.queues();
      // Where the broker cannot tell what is active, the worker does.
      const unsettled = ran - (worker?.stats.completed ?? 0);
      return queues.reduce(
        (sum, { counts: { waiting = 0, active = unsettled, retrying = 0 } }) => sum + waiting + active + retrying,
        unsettled,
      );
    },
    close: () => app.close(),
  };
}
