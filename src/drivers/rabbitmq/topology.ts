import type { Channel, Connection } from "./client.js";
import { closeQuietly } from "./closing.js";
import { PLACES, patternAt, patternOf, steps, type Wait } from "./delays.js";
import { toTaskwrightError } from "./errors.js";
import type { Link } from "./link.js";
import type { Settings } from "./options.js";

type Declare = (channel: Channel) => Promise<unknown>;

/** The queue in which the dead letters of a queue are kept. */
export function deadQueueOf(queue: string): string {
  return `${queue}.dead`;
}

/**
 * Makes queues and exchanges exist, each with exactly the same settings whoever declares it, once for each connection. On a
 * channel of its own: RabbitMQ closes the channel of a declaration that it refuses, with all that is under way on it.
 */
export class Topology {
  readonly #link: Link;
  readonly #settings: Settings;
  #connection: Connection | undefined;
  #channel: Promise<Channel> | undefined;
  #known = new Map<string, Promise<void>>();
  /** Something was deleted: that the last of the exchanges is there says nothing of the others. */
  #incomplete = false;

  constructor(link: Link, settings: Settings) {
    this.#link = link;
    this.#settings = settings;
  }

  /** Whether these queues are known to exist, so that nothing has to be waited for. */
  knows(queue: string): boolean {
    return this.#known.has(`queue ${queue}`);
  }

  /** Somebody has deleted something: all is declared again. */
  forget(): void {
    this.#known = new Map();
    this.#incomplete = true;
  }

  queue(name: string): Promise<void> {
    const { queueType, maxPriority, protocol } = this.#settings;
    // Quorum queues have a limit of deliveries, from RabbitMQ 4 on 20, and drop what reaches it unless they know where to put
    // it, and that is there. Celery says nothing of that, and a queue must be declared by both alike.
    const catchesDropped = queueType === "quorum" && protocol !== "celery";
    return this.#once(`queue ${name}`, async (channel) => {
      if (catchesDropped) await this.deadQueue(name);
      await channel.assertQueue(name, {
        durable: true,
        arguments: {
          ...(maxPriority > 0 && { "x-max-priority": maxPriority }),
          ...(queueType === "quorum" && { "x-queue-type": "quorum" }),
          ...(catchesDropped && {
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": deadQueueOf(name),
          }),
        },
      });
    });
  }

  deadQueue(queue: string): Promise<void> {
    const { queueType } = this.#settings;
    const name = deadQueueOf(queue);
    return this.#once(`queue ${name}`, (channel) =>
      channel.assertQueue(name, {
        durable: true,
        ...(queueType === "quorum" && { arguments: { "x-queue-type": "quorum" } }),
      }),
    );
  }

  /** Makes the way of a delay, and answers the exchange where it begins. */
  async delay(wait: Wait, queue: string): Promise<string> {
    await this.queue(queue);
    await this.#once("delays", async (channel) => {
      if (!this.#incomplete && (await this.#has(this.#ready))) return;
      await this.#declareExchanges(channel);
      this.#incomplete = false;
    });
    await this.#once(`delays to ${queue}`, (channel) => channel.bindQueue(queue, this.#exchange(-1), patternOf(queue)));
    for (const { place, digit } of steps(wait)) {
      await this.#once(`delay ${place} ${digit}`, (channel) => this.#declareStep(channel, place, digit));
    }
    return this.#exchange(wait.first);
  }

  /** The exchange that reads the digit at a place; the last one, at -1, leads to the queues. */
  #exchange(place: number): string {
    const kind = this.#settings.queueType === "quorum" ? ".quorum" : "";
    return `taskwright.delay${kind}.${place < 0 ? "end" : place}`;
  }

  /** Made last, so that one question tells that all is there: a worker has no time to lose when another has just died. */
  get #ready(): string {
    return `${this.#exchange(-1)}.ready`;
  }

  /** Asks on a channel of its own, which RabbitMQ closes where the answer is no. */
  async #has(exchange: string): Promise<boolean> {
    const channel = await (await this.#link.up()).createChannel();
    // It is the answer to the question.
    channel.on("error", () => {});
    const found = await channel.checkExchange(exchange).then(
      () => true,
      () => false,
    );
    if (found) await closeQuietly(channel, "a channel of rabbitmq", this.#link.options.logger);
    return found;
  }

  async #declareExchanges(channel: Channel): Promise<void> {
    for (let place = -1; place < PLACES; place++) {
      await channel.assertExchange(this.#exchange(place), "topic", { durable: true });
      if (place >= 0) await channel.bindExchange(this.#exchange(place - 1), this.#exchange(place), patternAt(place, 0));
    }
    await channel.assertExchange(this.#ready, "fanout", { durable: true });
  }

  async #declareStep(channel: Channel, place: number, digit: number): Promise<void> {
    const name = `${this.#exchange(place)}.${digit}`;
    await channel.assertQueue(name, {
      durable: true,
      arguments: {
        "x-message-ttl": digit * 16 ** place,
        "x-dead-letter-exchange": this.#exchange(place - 1),
        // Classic queues let go of a message before the next queue has it on disk; quorum queues can wait for that.
        ...(this.#settings.queueType === "quorum" && {
          "x-queue-type": "quorum",
          "x-dead-letter-strategy": "at-least-once",
          "x-overflow": "reject-publish",
        }),
      },
    });
    await channel.bindQueue(name, this.#exchange(place), patternAt(place, digit));
  }

  async #once(what: string, declare: Declare): Promise<void> {
    const connection = await this.#link.up();
    if (connection !== this.#connection) {
      // The server that answers now may be another, or have lost its queues.
      this.#connection = connection;
      this.#channel = undefined;
      this.#known = new Map();
      this.#incomplete = false;
    }
    const known = this.#known;
    const declared = known.get(what) ?? this.#declare(connection, declare);
    known.set(what, declared);
    declared.catch(() => known.delete(what));
    return declared;
  }

  async #declare(connection: Connection, declare: Declare): Promise<void> {
    try {
      this.#channel ??= this.#open(connection);
      await declare(await this.#channel);
    } catch (error) {
      throw toTaskwrightError(error, this.#settings.location, "none");
    }
  }

  #open(connection: Connection): Promise<Channel> {
    const opening = connection.createChannel().then((channel) => {
      // Whoever declares hears of it: RabbitMQ closes the channel instead of answering.
      channel.on("error", () => {});
      channel.on("close", forget);
      return channel;
    });
    const forget = (): void => {
      if (this.#channel === opening) this.#channel = undefined;
    };
    opening.catch(forget);
    return opening;
  }
}
