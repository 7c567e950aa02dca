import type { Job, Peer } from "../contestant.js";
import { load } from "./load.js";

interface Received {
  readonly id: string;
  readonly data: { readonly job: Job };
}

interface Boss {
  on(event: "error", listener: () => void): void;
  start(): Promise<unknown>;
  stop(options: object): Promise<void>;
  createQueue(name: string): Promise<unknown>;
  send(name: string, data: unknown): Promise<unknown>;
  insert(jobs: readonly { readonly name: string; readonly data: unknown }[]): Promise<unknown>;
  fetch(name: string, options: object): Promise<Received[]>;
  complete(name: string, ids: readonly string[]): Promise<unknown>;
  getQueueSize(name: string, options: object): Promise<number>;
}

const NAME = "bench";
const BATCH = 500;

/**
 * pg-boss in its fastest way: batches fetched and completed by hand, with two such loops at once, since `work` polls at most
 * every 500 ms. It keeps the rows of jobs that are done.
 */
export const pgBoss: Peer = {
  name: "pg-boss",
  drivers: ["postgres"],
  packages: ["pg-boss"],
  settings: `fetch and complete in batches of ${BATCH}, two loops, supervise and schedule off`,
  keepsResults: false,
  async open({ place }) {
    const { default: PgBoss } = await load<{ default: new (options: object) => Boss }>("pg-boss");
    const boss = new PgBoss({ connectionString: place, max: 10, supervise: false, schedule: false });
    boss.on("error", () => {});
    await boss.start();
    await boss.createQueue(NAME);
    let open = true;
    const loops: Promise<void>[] = [];
    const loop = async (handler: (a: number, b: number) => number): Promise<void> => {
      while (open) {
        const jobs = await boss.fetch(NAME, { batchSize: BATCH });
        if (jobs.length === 0) {
          await new Promise((resolve) => setTimeout(resolve, 1));
          continue;
        }
        for (const { data } of jobs) handler(data.job[0], data.job[1]);
        await boss.complete(
          NAME,
          jobs.map(({ id }) => id),
        );
      }
    };
    return {
      enqueue: (...job) => boss.send(NAME, { job }),
      enqueueMany: (jobs) => boss.insert(jobs.map((job) => ({ name: NAME, data: { job } }))),
      startWorker: (handler) => {
        for (let at = 0; at < 2; at++) loops.push(loop(handler));
      },
      remaining: () => boss.getQueueSize(NAME, { before: "completed" }),
      close: async () => {
        open = false;
        await Promise.all(loops);
        await boss.stop({ graceful: false, wait: true });
      },
    };
  },
};
