import type { CancelTimer, Clock, Random } from "../../contracts/clock.js";
import type { Logger } from "../../contracts/logger.js";
import { BrokerError, MissingDependencyError } from "../../job/errors.js";
import { type Address, type Connection, openConnection } from "./client.js";
import { isDenial, toTaskwrightError } from "./errors.js";

/** Milliseconds between tries to connect: 50, doubling up to 2 s, each with up to half of jitter. */
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
  #waiters = new Set<Waiter>();
  #blockedBy: string | undefined;
  #cancelRetry: CancelTimer = () => {};
  #closed = false;

  constructor(options: LinkOptions, role: string) {
    this.options = options;
    this.#role = role;
  }

  get closed(): boolean {
    return this.#closed;
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
    // One that breaks now is closed as well.
    await connection?.close().catch(() => {});
  }

  async #connect(): Promise<void> {
    if (this.#connecting || this.#connection !== undefined || this.#closed) return;
    this.#connecting = true;
    this.#cancelRetry();
    const { address, timeout } = this.options;
    try {
      this.#opened(await openConnection(address, this.#host, this.#role, timeout));
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
    if (this.#closed) return void connection.close().catch(() => {});
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
    if (!this.#closed) void this.#connect();
  }

  #failed(error: unknown): void {
    this.#lastError = error;
    this.#host += 1;
    const { clock, random, location, address } = this.options;
    // Waiting makes no password right, and installs nothing.
    const hopeless =
      error instanceof MissingDependencyError || (isDenial(error) && this.#host % address.hosts.length === 0);
    if (hopeless) for (const { reject } of [...this.#waiters]) reject(toTaskwrightError(error, location, "none"));
    if (this.#closed) return;
    const round = Math.floor(this.#tries++ / address.hosts.length);
    const pause = Math.min(LONGEST_RETRY, FIRST_RETRY * 2 ** Math.min(round, 10)) * (1 - random() / 2);
    this.#cancelRetry = clock.schedule(() => void this.#connect(), pause);
  }
}
