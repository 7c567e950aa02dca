import { BrokerError, type OperationOutcome } from "../../job/errors.js";
import type { ConfirmChannel, Connection, Message } from "./client.js";
import { toTaskwrightError } from "./errors.js";
import type { Link } from "./link.js";
import type { Letter } from "./message.js";
import type { Topology } from "./topology.js";

/** A message and the exchange and key with which it finds its way. */
export interface Routed {
  readonly exchange: string;
  readonly key: string;
  readonly letter: Letter;
}

/** Sends messages on one channel, all of a call together, and waits until RabbitMQ has confirmed each. */
export class Publisher {
  readonly #link: Link;
  readonly #topology: Topology;
  #connection: Connection | undefined;
  #channel: Promise<ConfirmChannel> | undefined;
  /** Why the channel closed, for those whose confirmation never came. */
  #lastError: unknown;
  /** Ids of messages that came back, until they are confirmed, which follows at once. */
  readonly #returned = new Set<unknown>();

  constructor(link: Link, topology: Topology) {
    this.#link = link;
    this.#topology = topology;
  }

  /**
   * Answers for each message the error with which it failed, or nothing where a queue has it.
   *
   * @param onTaken - Hears of each message as soon as a queue has it.
   * @throws BrokerError when none was sent
   */
  async send(messages: readonly Routed[], onTaken?: (index: number) => void): Promise<(BrokerError | undefined)[]> {
    if (messages.length === 0) return [];
    const channel = await this.#open();
    const failures: (BrokerError | undefined)[] = new Array(messages.length).fill(undefined);
    await this.#confirmed(channel, messages, failures, onTaken);
    return failures;
  }

  #confirmed(
    channel: ConfirmChannel,
    messages: readonly Routed[],
    failures: (BrokerError | undefined)[],
    onTaken: ((index: number) => void) | undefined,
  ): Promise<void> {
    const open = new Set<number>(messages.keys());
    return this.#link
      .deadline<void>(
        (resolve) => {
          for (const [index, { exchange, key, letter }] of messages.entries()) {
            const confirmed = (error: Error | null): void => {
              failures[index] = this.#failureOf(error, letter);
              open.delete(index);
              if (failures[index] === undefined) onTaken?.(index);
              if (open.size === 0) resolve();
            };
            try {
              channel.publish(exchange, key, letter.content, letter.options, confirmed);
            } catch (error) {
              // The channel has closed meanwhile. What was sent before hears of it.
              failures[index] = this.#error(error, "none");
              open.delete(index);
            }
          }
          if (open.size === 0) queueMicrotask(() => resolve());
          return () => {};
        },
        () => this.#link.late(),
      )
      .catch((late: BrokerError) => {
        for (const index of open) failures[index] = late;
      });
  }

  #failureOf(error: Error | null, letter: Letter): BrokerError | undefined {
    const came = this.#returned.size > 0 && this.#returned.delete(letter.options.messageId);
    if (error === null) return came ? this.#unroutable(letter) : undefined;
    if (/nacked/.test(error.message)) {
      const advice = `queue "${letter.queue}" takes no more messages: it is full (x-max-length), or a node is in trouble`;
      return this.#error(new BrokerError(`rabbitmq at ${this.#link.options.location}: ${advice}`), "none");
    }
    return this.#error(this.#lastError ?? error, "unknown");
  }

  /** Somebody deleted the queue since we made it. The next try makes it again. */
  #unroutable({ queue }: Letter): BrokerError {
    this.#topology.forget();
    const { location } = this.#link.options;
    return new BrokerError(
      `rabbitmq at ${location}: queue "${queue}" has been deleted meanwhile; it is made again when you repeat this`,
    );
  }

  #error(error: unknown, outcome: OperationOutcome): BrokerError {
    return toTaskwrightError(error, this.#link.options.location, outcome);
  }

  async #open(): Promise<ConfirmChannel> {
    const connection = await this.#link.takesMessages();
    if (connection !== this.#connection) this.#channel = undefined;
    this.#connection = connection;
    this.#channel ??= this.#openOn(connection);
    try {
      return await this.#channel;
    } catch (error) {
      throw this.#error(error, "none");
    }
  }

  #openOn(connection: Connection): Promise<ConfirmChannel> {
    this.#lastError = undefined;
    const opening = connection.createConfirmChannel().then((channel) => {
      channel.on("error", (error: Error) => {
        this.#lastError = error;
        this.#topology.forget();
      });
      channel.on("close", forget);
      channel.on("return", ({ properties }: Message) => this.#returned.add(properties.messageId));
      return channel;
    });
    const forget = (): void => {
      this.#returned.clear();
      if (this.#channel === opening) this.#channel = undefined;
    };
    opening.catch(forget);
    return opening;
  }
}
