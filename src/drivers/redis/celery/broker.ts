import { randomUUID } from "node:crypto";
import type {
  Broker,
  CancelStatus,
  ConsumeOptions,
  Consumer,
  OutgoingJob,
  PublishStatus,
  SweepOptions,
  SweepReport,
} from "../../../contracts/broker.js";
import type { Clock, Random } from "../../../contracts/clock.js";
import { UnsupportedError } from "../../../job/errors.js";
import { isRecord } from "../../../job/is-record.js";
import { batches } from "../batches.js";
import type { Server } from "../server.js";
import type { Packable, Unpacked } from "../wire.js";
import { CeleryConsumer } from "./consumer.js";
import { bindingOf, boundQueues, keyOf, readRaw, writeRaw } from "./kombu.js";
import { findLost, publish, restore } from "./scripts/moving.js";

/** What the contracts of one connection share. */
export interface Shared {
  readonly server: Server;
  readonly clock: Clock;
  readonly random: Random;
  /** kombu's `visibility_timeout`, in seconds. */
  readonly visibility: number;
}

/** Moves messages as kombu does on Redis, so that Celery's workers and producers share the queues. */
export class CeleryBroker implements Broker {
  readonly #shared: Shared;
  readonly #consumers = new Set<CeleryConsumer>();

  constructor(shared: Shared) {
    this.#shared = shared;
  }

  async publish(jobs: readonly OutgoingJob[], transaction?: unknown): Promise<PublishStatus[]> {
    if (transaction !== undefined) throw new UnsupportedError("redis cannot enqueue inside a transaction");
    if (jobs.length === 0) return [];
    const messages = jobs.flatMap((job) => [keyOf(job.queue, job.priority), writeRaw(job, randomUUID())]);
    const queues = [...new Set(jobs.map(({ queue }) => queue))];
    const bindings = queues.flatMap((queue) => [queue, bindingOf(queue)]);
    await this.#shared.server.run(publish, [messages, bindings]);
    return jobs.map(() => "created");
  }

  async consume(options: ConsumeOptions): Promise<Consumer> {
    const consumer = new CeleryConsumer(this.#shared, options, (closed) => this.#consumers.delete(closed));
    this.#consumers.add(consumer);
    return consumer;
  }

  /** Nobody can find a job in a list by its id. */
  async cancel(): Promise<CancelStatus[]> {
    throw new UnsupportedError("a queue of Celery's cannot be searched for a job to cancel");
  }

  async sweep({ max, delay, jitter }: SweepOptions): Promise<SweepReport> {
    const { server, visibility } = this.#shared;
    const answer = await server.ask(findLost, [max, visibility]);
    const [ours, theirs] = Array.isArray(answer) ? answer : [];
    const lost = [
      ...listOf(ours).map((one) => this.#lostHere(one, delay, jitter)),
      ...(await Promise.all(listOf(theirs).map((one) => this.#lostThere(one)))).flat(),
    ];
    let recovered = 0;
    for (const batch of batches(lost)) recovered += Number(await server.run(restore, batch));
    return { recovered };
  }

  async close(): Promise<void> {
    for (const consumer of [...this.#consumers]) await consumer.close();
  }

  /** A job of a worker of this house, whose loss is counted. It is due again a little later. */
  #lostHere(found: readonly Unpacked[], delay: number, jitter: number): Packable {
    const [tag, key, raw] = found.map(bytesOf);
    const list = String(key);
    const message = { ...readRaw(raw ?? Buffer.alloc(0), stepOf(list), String(tag)), queue: queueOf(list) };
    const again = writeRaw(message, randomUUID(), {
      losses: message.losses + 1,
      history: message.history,
      redelivered: true,
    });
    const wait = (delay + this.#shared.random() * jitter) / 1000;
    return [String(tag), list, again, wait, randomUUID(), this.#shared.visibility];
  }

  /** A job of a worker of Celery's, put back as kombu does: marked, and at the front of its queue. */
  async #lostThere(found: readonly Unpacked[]): Promise<Packable[]> {
    const [tag, held] = found.map(bytesOf);
    const parsed = parseHeld(held);
    if (parsed === undefined) return [];
    const { message, exchange, routingKey } = parsed;
    const queues = exchange === "" ? [routingKey] : await this.#queuesOf(exchange, routingKey);
    const raw = JSON.stringify(message);
    return queues.slice(0, 1).map((queue) => [String(tag), queue, raw, 0, "", 0]);
  }

  async #queuesOf(exchange: string, routingKey: string): Promise<string[]> {
    const members = await this.#shared.server.command("SMEMBERS", `_kombu.binding.${exchange}`);
    return boundQueues(Array.isArray(members) ? members.map(String) : [], routingKey);
  }
}

interface Held {
  readonly message: object;
  readonly exchange: string;
  readonly routingKey: string;
}

/** What kombu holds of a message: `[message, exchange, routing key]`. */
function parseHeld(bytes: Buffer | undefined): Held | undefined {
  try {
    const held: unknown = JSON.parse(String(bytes));
    if (!Array.isArray(held)) return undefined;
    const [message, exchange, routingKey] = held as unknown[];
    if (!isRecord(message) || typeof exchange !== "string" || typeof routingKey !== "string") return undefined;
    const headers = isRecord(message.headers) ? { ...message.headers, redelivered: true } : message.headers;
    return { message: { ...message, headers }, exchange, routingKey };
  } catch {
    return undefined;
  }
}

function listOf(value: Unpacked): readonly Unpacked[][] {
  return Array.isArray(value) ? value.filter((one): one is Unpacked[] => Array.isArray(one)) : [];
}

function bytesOf(value: Unpacked): Buffer | undefined {
  return Buffer.isBuffer(value) ? value : undefined;
}

function queueOf(key: string): string {
  return key.split("\x06\x16", 1)[0] ?? key;
}

function stepOf(key: string): number {
  return Number(key.split("\x06\x16")[1] ?? 0);
}
