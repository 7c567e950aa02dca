import type { Broadcaster, BroadcastListener } from "../../contracts/broadcaster.js";
import type { OutgoingJob } from "../../contracts/broker.js";
import type { Unsubscribe } from "../../contracts/notifier.js";
import { decodeId, encodeId } from "../../job/id-bytes.js";
import { decodeJob, encodeJob } from "./record.js";
import { broadcast } from "./scripts/broadcast.js";
import type { Server } from "./server.js";
import type { Subscriptions } from "./subscriptions.js";
import { unpack } from "./wire.js";

/** Jobs through Pub/Sub: whoever is connected hears them, and nobody else ever will. */
export class RedisBroadcaster implements Broadcaster {
  readonly #server: Server;
  readonly #subscriptions: Subscriptions;

  constructor(server: Server, subscriptions: Subscriptions) {
    this.#server = server;
    this.#subscriptions = subscriptions;
  }

  async publish(jobs: readonly OutgoingJob[]): Promise<void> {
    if (jobs.length === 0) return;
    const { time } = this.#server;
    await this.#server.run(
      broadcast,
      jobs.map((job) => [job.queue, encodeId(job.id), encodeJob(job, time)]),
    );
  }

  async subscribe(queues: readonly string[], listener: BroadcastListener): Promise<Unsubscribe> {
    const hear = (message: Buffer | undefined): void => {
      if (message !== undefined) listener(readJobs(message));
    };
    const ends = await Promise.all(queues.map((queue) => this.#subscriptions.subscribe(`broadcast:${queue}`, hear)));
    return () => {
      for (const end of ends) end();
    };
  }
}

function readJobs(message: Buffer): Parameters<BroadcastListener>[0] {
  const fields = unpack(message);
  if (!Array.isArray(fields)) return [];
  const [id, record] = fields;
  if (!Buffer.isBuffer(id) || !Buffer.isBuffer(record)) return [];
  const { publishedAt: _, ...job } = decodeJob(record);
  return [{ id: decodeId(id), ...job }];
}
