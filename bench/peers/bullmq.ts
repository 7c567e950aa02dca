import type { Job, Peer, Session } from "../contestant.js";
import { load } from "./load.js";

interface Added {
  waitUntilFinished(events: Closable): Promise<number>;
}

interface Closable {
  waitUntilReady(): Promise<unknown>;
  close(): Promise<void>;
}

interface Queue extends Closable {
  add(name: string, data: unknown): Promise<Added>;
  addBulk(jobs: { readonly name: string; readonly data: unknown }[]): Promise<unknown>;
  getJobCountByTypes(...states: string[]): Promise<number>;
}

interface Options {
  /** To Redis or PostgreSQL. */
  readonly connection: object;
}

interface QueueOptions extends Options {
  readonly streams?: { readonly events: { readonly maxLen: number } };
}

interface WorkerOptions extends Options {
  readonly concurrency: number;
  readonly removeOnComplete?: { readonly count: number };
  readonly removeOnFail?: { readonly count: number };
}

/** What is used of BullMQ, whatever its database. */
export interface BullMQ {
  readonly Queue: new (name: string, options: QueueOptions) => Queue;
  readonly QueueEvents: new (name: string, options: Options & { readonly lastEventId: string }) => Closable;
  readonly Worker: new (
    name: string,
    run: (job: { readonly data: Job }) => Promise<number>,
    options: WorkerOptions,
  ) => Closable;
}

const NAME = "bench";

const NONE = { count: 0 };

/**
 * BullMQ with ioredis 5, which it is developed with, and with which it is a tenth faster than with 6. Its scripts write an event for each step of a job and have no setting against that, so the stream
 * is kept as short as its `streams.events.maxLen` can make it, except where results are read from it. To keep results is
 * to keep jobs that are done. That none are kept is an option of the worker, which costs less than the same option in
 * each job: 45 bytes.
 */
export const bullmq: Peer = {
  name: "bullmq",
  drivers: ["redis"],
  packages: ["bullmq", "ioredis"],
  settings:
    "ioredis, concurrency 100, removeOnComplete and removeOnFail (neither where results are kept), events.maxLen 0 and " +
    "no QueueEvents (10,000, its default, and QueueEvents where results are)",
  keepsResults: true,
  open: async ({ place, keepResults }) => {
    const connection = { url: place, maxRetriesPerRequest: null };
    return openBullmq(await load<BullMQ>("bullmq"), connection, keepResults);
  },
};

export async function openBullmq(
  { Queue, QueueEvents, Worker }: BullMQ,
  connection: object,
  keepResults: boolean,
): Promise<Session> {
  const options = { connection };
  const queue = new Queue(NAME, {
    ...options,
    ...(keepResults ? {} : { streams: { events: { maxLen: 0 } } }),
  });
  await queue.waitUntilReady();
  const opened: Closable[] = [queue];
  let events: Promise<Closable> | undefined;
  const listen = async (): Promise<Closable> => {
    // From the first event on: from the next one, its default, the end of the first job can be missed.
    const listening = new QueueEvents(NAME, { ...options, lastEventId: "0" });
    opened.unshift(listening);
    await listening.waitUntilReady();
    return listening;
  };
  return {
    enqueue: (...job) => queue.add("add", job),
    enqueueMany: (jobs) => queue.addBulk(jobs.map((data) => ({ name: "add", data }))),
    call: async (...job) => {
      events ??= listen();
      const [added, listening] = await Promise.all([queue.add("add", job), events]);
      return added.waitUntilFinished(listening);
    },
    startWorker: async (handler) => {
      const worker = new Worker(NAME, async ({ data: [a, b] }) => handler(a, b), {
        ...options,
        concurrency: 100,
        ...(keepResults ? {} : { removeOnComplete: NONE, removeOnFail: NONE }),
      });
      opened.unshift(worker);
      await worker.waitUntilReady();
    },
    remaining: () => queue.getJobCountByTypes("wait", "active", "delayed", "prioritized"),
    close: async () => {
      for (const one of opened) await one.close();
    },
  };
}
