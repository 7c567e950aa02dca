import { randomUUID } from "node:crypto";
import type { OutcomeRecord, ResultBackend } from "../../contracts/backend.js";
import type { Listener, Notifier, Topic, Unsubscribe } from "../../contracts/notifier.js";
import { UnsupportedError } from "../../job/errors.js";
import { toOutcome } from "../common/celery.js";
import type { Message } from "./client.js";
import { closeQuietly } from "./closing.js";
import type { Sender } from "./exchanges.js";
import type { Link } from "./link.js";
import { standing } from "./standing.js";

/** RabbitMQ deletes the queue when nobody has listened to it for this long, in ms: longer than any reconnect takes. */
const UNUSED = 10 * 60_000;
/** As much as is kept of outcomes that nobody has asked for, in bytes; then the oldest go. 100,000 small ones are 40 MiB. */
const MOST_KEPT = 64 * 1024 * 1024;
/** What an outcome takes beside its body, in bytes, roughly. */
const OVERHEAD = 256;

type Answered = Pick<OutcomeRecord, "id" | "body" | "answer">;

/**
 * Outcomes as messages to whoever asked, as Celery's `rpc://` has them: each process waits on a queue of its own. The queue is
 * not exclusive in AMQP's sense, so that a connection that is cut loses no answer.
 */
export class RpcReplies implements ResultBackend, Notifier {
  readonly replyTo = `taskwright.reply.${randomUUID()}`;
  readonly #link: Link;
  readonly #sender: Sender;
  /** The oldest first. */
  readonly #kept = new Map<string, OutcomeRecord>();
  readonly #listeners = new Map<string, Set<Listener>>();
  #bytes = 0;
  #stop: Unsubscribe = () => {};

  /** @param link - Listens: while RabbitMQ is short of memory it does not read from the one that publishes. */
  constructor(link: Link, sender: Sender) {
    this.#link = link;
    this.#sender = sender;
  }

  /** When it resolves, the queue is there. */
  async open(): Promise<void> {
    this.#stop = await standing(this.#link, async (channel) => {
      const { replyTo } = this;
      await channel.assertQueue(replyTo, { durable: true, arguments: { "x-expires": UNUSED } });
      await channel.consume(replyTo, (message) => {
        // The queue has been deleted: it is made again with its channel.
        if (message === null) return void closeQuietly(channel, "a channel of rabbitmq", this.#link.options.logger);
        this.#hear(message);
        channel.ack(message);
      });
    });
  }

  /** Takes the queue along, where RabbitMQ can be reached. */
  async close(): Promise<void> {
    this.#stop();
    await this.#sender.deleteQueue(this.replyTo).catch((err: unknown) => {
      const { logger } = this.#link.options;
      logger.debug(
        { err, queue: this.replyTo },
        "a reply queue could not be deleted; it goes when nobody used it for a while",
      );
    });
  }

  async store(outcomes: readonly Answered[]): Promise<void> {
    await Promise.all(outcomes.map((outcome) => this.#answer(outcome)));
  }

  async mark(states: readonly Answered[]): Promise<void> {
    await this.store(states);
  }

  async read(ids: readonly string[]): Promise<(OutcomeRecord | undefined)[]> {
    return ids.map((id) => this.#kept.get(id));
  }

  async forget(ids: readonly string[]): Promise<number> {
    return ids.filter((id) => this.#drop(id)).length;
  }

  async report(): Promise<void> {
    throw new UnsupportedError("rpc:// has no place for progress and logs: set `backend` to a Redis");
  }

  async readReport(): Promise<undefined> {
    return undefined;
  }

  async sweep(): Promise<number> {
    return 0;
  }

  async subscribe({ kind, id }: Topic, listener: Listener): Promise<Unsubscribe> {
    if (kind === "report") return () => {};
    const listeners = this.#listeners.get(id) ?? new Set();
    this.#listeners.set(id, listeners.add(listener));
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#listeners.get(id) === listeners) this.#listeners.delete(id);
    };
  }

  /** Who wants no answer gets none; one whose queue is gone has ended. */
  async #answer({ body, answer }: Answered): Promise<void> {
    if (answer === undefined) return;
    const { queue, correlationId, persistent } = answer;
    const properties = { content_type: "application/json", content_encoding: "utf-8", correlation_id: correlationId };
    await this.#sender.send("", queue, { body, headers: { headers: {}, properties } }, persistent);
  }

  #hear({ content, properties }: Message): void {
    const { correlationId: id } = properties;
    const outcome = typeof id === "string" ? toOutcome(id, content) : undefined;
    // A job that ran twice is answered twice: what has succeeded stays so.
    if (outcome === undefined || this.#kept.get(outcome.id)?.state === "completed") return;
    this.#drop(outcome.id);
    this.#kept.set(outcome.id, outcome);
    this.#bytes += outcome.body.length + OVERHEAD;
    for (const oldest of this.#kept.keys()) {
      if (this.#bytes <= MOST_KEPT) break;
      this.#drop(oldest);
    }
    for (const listener of this.#listeners.get(outcome.id) ?? []) listener(outcome);
  }

  #drop(id: string): boolean {
    const kept = this.#kept.get(id);
    if (kept === undefined) return false;
    this.#bytes -= kept.body.length + OVERHEAD;
    return this.#kept.delete(id);
  }
}
