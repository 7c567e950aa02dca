import type { ClaimedJob, Lease } from "../../contracts/broker.js";
import type { Logger } from "../../contracts/logger.js";
import type { Channel, Connection, Message } from "./client.js";
import { closeQuietly } from "./closing.js";
import { readMessage, toClaimed } from "./message.js";
import { Subscription } from "./subscription.js";
import { type Delivery, Unsettled } from "./unsettled.js";

/** A token is the session's number times this, plus the delivery's tag. */
const TAGS = 2 ** 32;

/** What a session tells its consumer. */
export interface SessionListener {
  /** There may be something to take. */
  arrived(): void;
  /** RabbitMQ no longer delivers from a queue, which has been deleted. */
  deleted(): void;
  /** A job was lost by another worker, or is not due yet: it is not for taking, but to be sent on. */
  returned(delivery: Delivery): void;
  /** The channel is gone, and with it every lease. */
  ended(error: unknown): void;
}

let sessions = 0;

/** One channel of a consumer, with all that ends when it does: subscriptions, buffers and leases. */
export class Session {
  readonly #channel: Channel;
  readonly #listener: SessionListener;
  readonly #logger: Logger;
  readonly #number = ++sessions;
  readonly #unsettled: Unsettled;
  readonly #subscriptions = new Map<string, Subscription>();
  /** Settings of the channel and the subscription that they are for follow one another. */
  #turn: Promise<unknown> = Promise.resolve();
  #open = true;
  #lastError: unknown;

  private constructor(channel: Channel, listener: SessionListener, logger: Logger) {
    this.#channel = channel;
    this.#logger = logger;
    this.#listener = listener;
    this.#unsettled = new Unsettled(channel);
    channel.on("error", (error: Error) => {
      this.#lastError = error;
    });
    channel.on("close", () => {
      this.#open = false;
      listener.ended(this.#lastError ?? new Error("channel closed"));
    });
  }

  static async open(connection: Connection, listener: SessionListener, logger: Logger): Promise<Session> {
    return new Session(await connection.createChannel(), listener, logger);
  }

  get isOpen(): boolean {
    return this.#open;
  }

  /** Whether something is, or may any moment be, delivered and not claimed. */
  get mayHold(): boolean {
    for (const { buffer, full } of this.#subscriptions.values()) if (buffer.length > 0 || !full) return true;
    return false;
  }

  /** What has been delivered, by queue order. */
  take(queues: readonly string[], max: number, now: number): ClaimedJob[] {
    const jobs: ClaimedJob[] = [];
    for (const queue of queues) {
      const buffer = this.#subscriptions.get(queue)?.buffer;
      if (buffer === undefined || buffer.length === 0) continue;
      for (const { delivered, tag } of buffer.splice(0, max - jobs.length)) {
        jobs.push(toClaimed(delivered, queue, this.#number * TAGS + tag, now));
      }
      if (jobs.length === max) break;
    }
    return jobs;
  }

  /**
   * Has jobs of these queues delivered. A subscription whose window is full although its consumer has room is opened anew with
   * a larger one, unless it is as large as it may be: then what it waits for is under way to be settled. A claim may ask for more
   * than the worker is to hold; what is delivered and not claimed, nobody else can run.
   */
  listen(queues: readonly string[], max: number, capacity: number): Promise<void> {
    return this.#inTurn(async () => {
      for (const queue of queues) {
        const known = this.#subscriptions.get(queue);
        if (known !== undefined && (known.window >= capacity || !known.full)) continue;
        await known?.close(this.#channel);
        await this.#subscribe(new Subscription(queue, Math.min(max, capacity)), known);
      }
    });
  }

  async #subscribe(subscription: Subscription, former: Subscription | undefined): Promise<void> {
    const { queue } = subscription;
    // Whatever the former one delivered and nobody has claimed.
    subscription.buffer.push(...(former?.buffer ?? []));
    this.#subscriptions.set(queue, subscription);
    await subscription.open(this.#channel, (message) => {
      if (message !== null) this.#deliver(message, subscription);
      else if (this.#subscriptions.get(queue) === subscription) {
        this.#subscriptions.delete(queue);
        this.#listener.deleted();
      }
    });
  }

  /** Ends delivery, and answers what was delivered and not claimed. */
  pause(): Promise<Delivery[]> {
    return this.#inTurn(async () => {
      const subscriptions = [...this.#subscriptions.values()];
      this.#subscriptions.clear();
      for (const subscription of subscriptions) await subscription.close(this.#channel);
      return subscriptions.flatMap(({ buffer }) => buffer);
    });
  }

  /** Resolves when all that was there to deliver has been delivered: the queues answer, then the channel. */
  async caughtUp(queues: readonly string[]): Promise<void> {
    for (const queue of queues) await this.#channel.checkQueue(queue);
    await this.flush();
  }

  /** Resolves when RabbitMQ has read all that was sent to it before. The exchange is one that is always there. */
  async flush(): Promise<void> {
    await this.#channel.checkExchange("amq.direct");
  }

  /** A delivery that its holder may settle. */
  find({ token }: Lease): Delivery | undefined {
    if (!this.#open || typeof token !== "number" || Math.floor(token / TAGS) !== this.#number) return undefined;
    return this.#unsettled.get(token % TAGS);
  }

  acknowledge(deliveries: readonly Delivery[]): void {
    if (this.#open && deliveries.length > 0) this.#unsettled.acknowledge(deliveries);
  }

  /** Puts a delivery among those that can be claimed. */
  keep(delivery: Delivery): void {
    if (!this.#open) return;
    delivery.busy = false;
    const { subscription } = delivery;
    (this.#subscriptions.get(subscription.queue) ?? subscription).buffer.push(delivery);
    this.#listener.arrived();
  }

  /** Gives back whatever has not been settled. */
  async close(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    await closeQuietly(this.#channel, "a channel of rabbitmq", this.#logger);
  }

  #deliver(message: Message, subscription: Subscription): void {
    const delivered = readMessage(message);
    const delivery: Delivery = { tag: message.fields.deliveryTag, message, delivered, subscription, busy: false };
    this.#unsettled.add(delivery);
    if (delivered.newLosses > 0 || delivered.state.dueAt !== undefined) return this.#listener.returned(delivery);
    const current = this.#subscriptions.get(subscription.queue) ?? subscription;
    current.buffer.push(delivery);
    this.#listener.arrived();
  }

  #inTurn<T>(step: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(step);
    // Whoever asked for the step hears of its failure; the next one is not held up by it.
    this.#turn = done.catch(() => {});
    return done;
  }
}
