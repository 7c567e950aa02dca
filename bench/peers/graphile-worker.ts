import type { Job, Peer } from "../contestant.js";
import { load } from "./load.js";

interface Query {
  query(text: string): Promise<{ readonly rows: readonly { readonly count: string }[] }>;
  end(): Promise<void>;
}

interface Utils {
  migrate(): Promise<void>;
  addJob(name: string, payload: unknown): Promise<unknown>;
  addJobs(jobs: readonly { readonly identifier: string; readonly payload: unknown }[]): Promise<unknown>;
  release(): Promise<void>;
}

interface Library {
  makeWorkerUtils(options: object): Promise<Utils>;
  run(options: object): Promise<{ stop(): Promise<void> }>;
  readonly Logger: new (factory: () => () => void) => unknown;
}

const WORKER = {
  concurrentJobs: 100,
  localQueue: { size: 500 },
  completeJobBatchDelay: 0,
  failJobBatchDelay: 0,
};

/** graphile-worker as its documentation sets it up for throughput: a local queue, and completions in batches. */
export const graphileWorker: Peer = {
  name: "graphile-worker",
  drivers: ["postgres"],
  packages: ["graphile-worker", "pg"],
  settings: "concurrentJobs 100, localQueue 500, completeJobBatchDelay 0, no logging",
  keepsResults: false,
  async open({ place }) {
    const { makeWorkerUtils, run, Logger } = await load<Library>("graphile-worker");
    const { default: pg } = await load<{ default: { Pool: new (options: object) => Query } }>("pg");
    const pool = new pg.Pool({ connectionString: place, max: 10 });
    const logger = new Logger(() => () => {});
    const utils = await makeWorkerUtils({ pgPool: pool, logger });
    await utils.migrate();
    let runner: { stop(): Promise<void> } | undefined;
    return {
      enqueue: (...job) => utils.addJob("add", job),
      enqueueMany: (jobs) => utils.addJobs(jobs.map((payload) => ({ identifier: "add", payload }))),
      startWorker: async (handler) => {
        runner = await run({
          pgPool: pool,
          logger,
          noHandleSignals: true,
          preset: { worker: WORKER },
          taskList: { add: ([a, b]: Job) => void handler(a, b) },
        });
      },
      remaining: async () => {
        const { rows } = await pool.query("SELECT count(*) FROM graphile_worker._private_jobs");
        return Number(rows[0]?.count);
      },
      close: async () => {
        await runner?.stop();
        await utils.release();
        await pool.end();
      },
    };
  },
};
