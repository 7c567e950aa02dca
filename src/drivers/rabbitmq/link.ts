import type { CancelTimer, Clock, Random } from "../../contracts/clock.js";
import type { Logger } from "../../contracts/logger.js";
import { BrokerError, MissingDependencyError } from "../../job/errors.js";
import { type Address, type Connection, openConnection } from "./client.js";
import { closeQuietly } from "./closing.js";
import { isDenial, toTaskwrightError } from "./errors.js";

/** Milliseconds between rounds of tries to connect, each at all hosts: 50, doubling up to 2 s, each with up to half of jitter. */
const FIRST_RETRY = 50;
const LONGEST_RETRY = 2000;

/** What all links of a connection have in common. */
export interface LinkOptions {
  readonly address: Address;
  readonly location: string;
  /** How long a call waits, in ms. */
  readonly timeout: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

interface Waiter {
  readonly resolve: (connection: Connection) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * A connection to RabbitMQ that comes back by itself, to each host in turn, for as long as it is not closed. There are two:
 * while its memory is full RabbitMQ does not read from connections that publish, and acknowledgements must still reach it.
 *
 * amqplib's own recovery would keep channels and what was published on them apart from what we know of them.
 */
export class Link {
  readonly options: LinkOptions;
  readonly #role: string;
  #connection: Connection | undefined;
  #connecting = false;
  #host = 0;
  #tries = 0;
  #lastError: unknown;
  /** Why a host did not let us in, until each has been asked. */
  #denial: unknown;
  #waiters = new Set<Waiter>();
  #blockedBy: string | undefined;
  #cancelRetry: CancelTimer = () => {};
  #closed = false;

  constructor(options: LinkOptions, role: string) {
    this.options = options;
    this.#role = role;
  }

  get #name(): string {
    return `the ${this.#role}'s connection to rabbitmq`;
  }

  get closed(): boolean {
    return this.#closed;
  }

  get isUp(): boolean {
    return this.#connection !== undefined;
  }

  /** The connection, once there is one. Fails after the timeout, and at once where waiting would not help. */
  up(): Promise<Connection> {
    if (this.#connection !== undefined) return Promise.resolve(this.#connection);
    return this.#wait();
  }

  /** The same for who publishes: while RabbitMQ is short of memory or disk, it waits for the end of that. */
  takesMessages(): Promise<Connection> {
    return this.#blockedBy === undefined ? this.up() : this.#wait();
  }

  #wait(): Promise<Connection> {
    const { location } = this.options;
    if (this.#closed)
      return Promise.reject(
        new BrokerError(`the connection to rabbitmq at ${location} is closed`, { retryable: false }),
      );
    const opened = this.deadline<Connection>(
      (resolve, reject) => {
        const waiter: Waiter = { resolve, reject };
        this.#waiters.add(waiter);
        return () => this.#waiters.delete(waiter);
      },
      () => toTaskwrightError(this.#reason(), location, "none"),
    );
    void this.#connect();
    return opened;
  }

  /** Why nothing came in time. */
  #reason(): unknown {
    const late = `within ${this.options.timeout} ms`;
    if (this.#blockedBy !== undefined)
      return new Error(`it takes no jobs: it has been ${this.#blockedBy} for longer than ${this.options.timeout} ms`);
    return this.#lastError ?? new Error(`no connection ${late}`);
  }

  /** Nothing was answered within the timeout. */
  late(): Error {
    const { timeout, location } = this.options;
    const why = this.#blockedBy === undefined ? "" : `: it is ${this.#blockedBy}, and takes no jobs until that ends`;
    return toTaskwrightError(new Error(`no answer within ${timeout} ms${why}`), location, "unknown");
  }

  /**
   * A promise that fails after the timeout.
   *
   * @param start - Begins, and answers what to do when it has ended.
   * @param late - The error of the timeout.
   */
  deadline<T>(
    start: (resolve: (value: T) => void, reject: (error: unknown) => void) => () => void,
    late: () => Error,
  ): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const { clock, timeout } = this.options;
      const cancel = clock.schedule(() => end(() => reject(late())), timeout, true);
      const end = (settle: () => void): void => {
        cancel();
        ended();
        settle();
      };
      const ended = start(
        (value) => end(() => resolve(value)),
        (error) => end(() => reject(error)),
      );
    });
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#cancelRetry();
    const connection = this.#connection;
    this.#connection = undefined;
    for (const { reject } of [...this.#waiters]) reject(new Error("the connection is closed"));
    if (connection !== undefined) await closeQuietly(connection, this.#name, this.options.logger);
  }

  async #connect(): Promise<void> {
    if (this.#connecting || this.#connection !== undefined || this.#closed) return;
    this.#connecting = true;
    this.#cancelRetry();
    const { address, timeout } = this.options;
    // Whoever waits for a connection waits for `timeout`: one host that is silent must leave time for the others.
    const share = timeout / address.hosts.length;
    try {
      this.#opened(await openConnection(address, this.#host, this.#role, share));
    } catch (error) {
      this.#failed(error);
    } finally {
      this.#connecting = false;
    }
  }

  #opened(connection: Connection): void {
    connection.on("error", (error: Error) => {
      this.#lastError = error;
    });
    if (this.#closed) return void closeQuietly(connection, this.#name, this.options.logger);
    connection.on("close", () => this.#lost(connection));
    connection.on("blocked", (reason: string) => {
      this.#blockedBy = reason;
      this.options.logger.warn(
        { location: this.options.location, reason },
        "rabbitmq takes no jobs for now: it is short of memory or disk",
      );
    });
    connection.on("unblocked", () => {
      this.#blockedBy = undefined;
      this.#letThrough(connection);
    });
    this.#connection = connection;
    this.#tries = 0;
    this.#denial = undefined;
    this.#lastError = undefined;
    this.#letThrough(connection);
  }

  #letThrough(connection: Connection): void {
    for (const { resolve } of [...this.#waiters]) resolve(connection);
  }

  #lost(connection: Connection): void {
    if (this.#connection !== connection) return;
    this.#connection = undefined;
    this.#blockedBy = undefined;
    if (this.#closed) return;
    const { location, logger } = this.options;
    logger.warn({ location, err: this.#lastError }, `${this.#name} broke; it is opened again`);
    void this.#connect();
  }

  #failed(error: unknown): void {
    this.#lastError = error;
    this.options.logger.debug({ location: this.options.location, err: error }, `${this.#name} could not be opened`);
    this.#host += 1;
    this.#tries += 1;
    if (isDenial(error)) this.#denial = error;
    const { clock, random, location, address } = this.options;
    const rounds = Math.floor(this.#tries / address.hosts.length);
    const isRoundOver = this.#tries % address.hosts.length === 0;
    // Waiting makes no password right, and installs nothing.
    const hopeless = error instanceof MissingDependencyError ? error : isRoundOver ? this.#denial : undefined;
    if (hopeless !== undefined)
      for (const { reject } of [...this.#waiters]) reject(toTaskwrightError(hopeless, location, "none"));
    if (isRoundOver) this.#denial = undefined;
    if (this.#closed) return;
    const pause = Math.min(LONGEST_RETRY, FIRST_RETRY * 2 ** Math.min(rounds - 1, 10)) * (1 - random() / 2);
    this.#cancelRetry = clock.schedule(() => void this.#connect(), isRoundOver ? pause : 0);
  }
}
