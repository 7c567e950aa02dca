import { Taskwright } from "taskwright";
import type { Handler, Session, Terms } from "./contestant.js";

/** taskwright with its defaults: a worker of concurrency 100, heartbeats, sweeps and the worker registry on. */
export async function openOurs({ place, keepResults }: Terms): Promise<Session> {
  const app = new Taskwright({ broker: place, defaults: { result: { keep: keepResults } } });
  let handler: Handler = () => 0;
  const add = app.task("add", (a: number, b: number, _payload?: string) => handler(a, b));
  await app.connect();
  return {
    enqueue: (...job) => add.enqueue(...job),
    enqueueMany: (jobs) => add.enqueueMany(jobs),
    call: (...job) => add.enqueue(...job).result(),
    startWorker: (given) => {
      handler = given;
      return app.worker().start();
    },
    remaining: async () => {
      const queues = await app.inspect.queues();
      return queues.reduce((sum, { counts }) => sum + counts.waiting + counts.active + counts.retrying, 0);
    },
    close: () => app.close(),
  };
}
