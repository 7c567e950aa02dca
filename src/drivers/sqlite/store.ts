import type { DriverEnvironment } from "../../contracts/driver.js";
import type { Client } from "./clients/client.js";
import { busyError, closedError, isBusy, resultCode, toTaskwrightError } from "./errors.js";
import type { Settings } from "./options.js";

/**
 * Must a commit outlive a crash of the machine? Losing a `"volatile"` one is as if it had come a moment later: a claim
 * that is forgotten leaves its job waiting, a heartbeat or a progress report is made again.
 */
export type Durability = "durable" | "volatile";

/**
 * How long SQLite itself waits for the write lock, which blocks the event loop. Most transactions of others end within
 * it; after that we wait without blocking, for a random time up to {@link LONGEST_PAUSE} ms.
 */
export const BLOCKING_WAIT = 4;
const LONGEST_PAUSE = 16;

/**
 * Transactions on one connection. They are synchronous, so within a process they never meet; another process that holds
 * the write lock is waited for, in the order of the calls, up to `busyTimeout`.
 */
export class Store {
  readonly client: Client;
  readonly location: string;
  readonly #environment: DriverEnvironment;
  readonly #settings: Settings;
  readonly #afterCommit: () => void;
  #level: Settings["synchronous"];
  #closed = false;
  /** Ends when the call that waits for the lock has had its turn. */
  #turn: Promise<void> | undefined;

  constructor(
    client: Client,
    location: string,
    settings: Settings,
    environment: DriverEnvironment,
    afterCommit: () => void = () => {},
  ) {
    this.client = client;
    this.location = location;
    this.#settings = settings;
    this.#environment = environment;
    this.#level = settings.synchronous;
    this.#afterCommit = afterCommit;
  }

  /** Whole milliseconds: the columns are integers. */
  now(): number {
    return Math.floor(this.#environment.clock.now());
  }

  random(): number {
    return this.#environment.random();
  }

  get closed(): boolean {
    return this.#closed;
  }

  close(): void {
    this.#closed = true;
  }

  /** @throws {BrokerError} after `close`. */
  assertOpen(): void {
    if (this.#closed) throw closedError(this.location);
  }

  /**
   * Runs `work` as one transaction that holds the write lock from its beginning. It may run more than once, each time
   * with nothing written, so it changes nothing but the database.
   */
  async write<T>(durability: Durability, work: () => T): Promise<T> {
    if (this.#turn === undefined) {
      const first = this.#attempt(() => this.#transact(durability, work));
      if (first.done) return first.value;
    }
    return this.#retry(() => this.#transact(durability, work));
  }

  /** Runs `work`, which only reads. Each statement sees the newest commit. */
  async read<T>(work: () => T): Promise<T> {
    const first = this.#attempt(work);
    return first.done ? first.value : this.#retry(work);
  }

  /** Runs at once; `done: false` means that the lock is taken. */
  #attempt<T>(work: () => T): { done: true; value: T } | { done: false; cause: unknown } {
    this.assertOpen();
    try {
      return { done: true, value: work() };
    } catch (error) {
      if (isBusy(error)) return { done: false, cause: error };
      if (error instanceof CommitFailure) throw toTaskwrightError(error.cause, this.location, "unknown");
      throw toTaskwrightError(error, this.location);
    }
  }

  async #retry<T>(work: () => T): Promise<T> {
    const started = this.now();
    while (this.#turn !== undefined) await this.#turn;
    let end = () => {};
    this.#turn = new Promise((resolve) => {
      end = resolve;
    });
    try {
      for (let pause = 1; ; pause = Math.min(pause * 2, LONGEST_PAUSE)) {
        const attempt = this.#attempt(work);
        if (attempt.done) return attempt.value;
        const waited = this.now() - started;
        if (waited >= this.#settings.busyTimeout) throw busyError(this.location, waited, attempt.cause);
        await this.#pause(1 + this.random() * pause);
      }
    } finally {
      this.#turn = undefined;
      end();
    }
  }

  #pause(delay: number): Promise<void> {
    return new Promise((resolve) => this.#environment.clock.schedule(resolve, delay, true));
  }

  #transact<T>(durability: Durability, work: () => T): T {
    this.#setLevel(durability === "durable" ? this.#settings.synchronous : "NORMAL");
    this.client.exec("BEGIN IMMEDIATE");
    let result: T;
    try {
      result = work();
      this.#commit();
    } catch (error) {
      this.#rollback();
      throw error;
    }
    this.#afterCommit();
    return result;
  }

  #commit(): void {
    try {
      this.client.exec("COMMIT");
    } catch (error) {
      throw isBusy(error) || resultCode(error) === "SQLITE_FULL" ? error : new CommitFailure(error);
    }
  }

  /** SQLite has often rolled back by itself (full disk, I/O error). */
  #rollback(): void {
    try {
      this.client.exec("ROLLBACK");
    } catch {
      // There was no transaction left; the error that brought us here is the one to report.
    }
  }

  /** A commit flushes the whole log, so a durable one makes the volatile ones before it durable as well. */
  #setLevel(level: Settings["synchronous"]): void {
    if (level === this.#level) return;
    this.client.exec(`PRAGMA synchronous = ${level}`);
    this.#level = level;
  }
}

/** `COMMIT` failed otherwise than for a lock or for space (a full disk leaves no valid commit), so what it wrote may or may not be there. */
class CommitFailure extends Error {
  constructor(cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}
