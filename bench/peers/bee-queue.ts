import type { Job as Arguments, Peer } from "../contestant.js";
import { load } from "./load.js";

interface Job {
  readonly id: string;
  save(): Promise<Job>;
}

interface Queue {
  createJob(data: unknown): Job;
  saveAll(jobs: Job[]): Promise<ReadonlyMap<Job, Error>>;
  ready(): Promise<unknown>;
  process(concurrency: number, run: (job: { readonly data: Arguments }) => Promise<number>): void;
  checkHealth(): Promise<{ readonly waiting: number; readonly active: number; readonly delayed: number }>;
  on(event: "error", listener: (error: Error) => void): void;
  on(event: "job succeeded", listener: (id: string, result: number) => void): void;
  close(): Promise<void>;
}

interface BeeQueue {
  readonly default: new (name: string, settings: object) => Queue;
}

/**
 * bee-queue with all switched off that its README calls optional, except where results come back: they do so in an event,
 * and are kept nowhere.
 */
export const beeQueue: Peer = {
  name: "bee-queue",
  drivers: ["redis"],
  packages: ["bee-queue"],
  settings:
    "concurrency 100, removeOnSuccess and removeOnFailure; storeJobs, activateDelayedJobs and events off " +
    "(events on for pickup and result)",
  keepsResults: false,
  async open({ place, keepResults }) {
    const { default: BeeQueue } = await load<BeeQueue>("bee-queue");
    const settings = {
      redis: { url: place },
      removeOnSuccess: true,
      removeOnFailure: true,
      storeJobs: false,
      getEvents: keepResults,
      sendEvents: keepResults,
      activateDelayedJobs: false,
    };
    const queues: Queue[] = [];
    const open = async (isWorker: boolean): Promise<Queue> => {
      const queue = new BeeQueue("bench", { ...settings, isWorker });
      queues.push(queue);
      // It has a connection cut while it waits, which is how it closes.
      queue.on("error", () => {});
      await queue.ready();
      return queue;
    };
    const queue = await open(false);
    const results = new Results();
    queue.on("job succeeded", (id, result) => results.arrive(id, result));
    return {
      enqueue: (...job) => queue.createJob(job).save(),
      enqueueMany: async (jobs) => {
        const [error] = (await queue.saveAll(jobs.map((job) => queue.createJob(job)))).values();
        if (error !== undefined) throw error;
      },
      call: async (...job) => results.of((await queue.createJob(job).save()).id),
      startWorker: async (handler) => {
        const worker = await open(true);
        worker.process(100, async ({ data: [a, b] }) => handler(a, b));
      },
      remaining: async () => {
        const { waiting, active, delayed } = await queue.checkHealth();
        return waiting + active + delayed;
      },
      close: async () => {
        for (const one of queues) await one.close();
      },
    };
  },
};

/**
 * Results by job. The event of a quick job overtakes the answer that has its id, since the two have a connection each, and
 * events of jobs themselves are then lost.
 */
class Results {
  readonly #early = new Map<string, number>();
  readonly #waiting = new Map<string, (result: number) => void>();

  arrive(id: string, result: number): void {
    const resolve = this.#waiting.get(id);
    if (resolve === undefined) this.#early.set(id, result);
    else resolve(result);
    this.#waiting.delete(id);
  }

  of(id: string): number | Promise<number> {
    const early = this.#early.get(id);
    if (early !== undefined) {
      this.#early.delete(id);
      return early;
    }
    return new Promise((resolve) => this.#waiting.set(id, resolve));
  }
}
