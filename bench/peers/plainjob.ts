import type { Peer } from "../contestant.js";
import { load } from "./load.js";

interface Queue {
  add(type: string, data: unknown): unknown;
  addMany(type: string, data: unknown[]): unknown;
  countJobs(filter: { readonly status: number }): number;
  close(): void;
}

interface Worker {
  start(): Promise<void>;
  stop(): Promise<void>;
}

interface Plainjob {
  better(database: unknown): unknown;
  defineQueue(options: { readonly connection: unknown; readonly logger: object }): Queue;
  defineWorker(
    type: string,
    run: (job: { readonly data: string }) => void,
    options: { readonly queue: Queue; readonly logger: object; readonly pollIntervall: number },
  ): Worker;
}

const PENDING = 0;
const PROCESSING = 1;

/** Its own is the console, one line a step. */
const SILENT = { error() {}, warn() {}, info() {}, debug() {} };

/**
 * plainjob as its README sets it up on Node, with no logging, and with its poll interval (default 1 s, spelled so in its
 * options) as short as a timer can be. It sets `synchronous=NORMAL` itself. It keeps the row of a job that is done, but
 * nothing that a handler returned.
 */
export const plainjob: Peer = {
  name: "plainjob",
  drivers: ["sqlite"],
  packages: ["plainjob", "better-sqlite3"],
  settings: "better-sqlite3, WAL, synchronous=NORMAL (its own), polls every 1 ms (default 1 s), silent logger",
  keepsResults: false,
  async open({ place }) {
    const { better, defineQueue, defineWorker } = await load<Plainjob>("plainjob");
    const { default: Database } = await load<{ default: new (path: string) => unknown }>("better-sqlite3");
    const queue = defineQueue({ connection: better(new Database(place)), logger: SILENT });
    let working: Promise<void> | undefined;
    let worker: Worker | undefined;
    return {
      enqueue: (...job) => queue.add("add", job),
      enqueueMany: (jobs) => queue.addMany("add", [...jobs]),
      startWorker: (handler) => {
        const run = ({ data }: { readonly data: string }): void => {
          const [a, b] = JSON.parse(data) as [number, number];
          handler(a, b);
        };
        worker = defineWorker("add", run, { queue, logger: SILENT, pollIntervall: 1 });
        working = worker.start();
      },
      remaining: () => queue.countJobs({ status: PENDING }) + queue.countJobs({ status: PROCESSING }),
      close: async () => {
        await worker?.stop();
        await working;
        queue.close();
      },
    };
  },
};
