import type { Clock, Random } from "../../contracts/clock.js";
import { BrokerError } from "../../job/errors.js";
import type { Pool, PooledSession, Session } from "./client/client.js";
import { closedError, isBroken, isConnectionLost, isContention, toTaskwrightError } from "./errors.js";

/** How often a transaction that lost to others, or whose connection was closed under it, is done again. */
const RETRIES = 10;
/** Milliseconds before a repetition, times its number and a random fraction, so that those who met do not meet again. */
const PAUSE = 10;

export interface StoreTerms {
  readonly location: string;
  readonly clock: Clock;
  readonly random: Random;
  /** Milliseconds to wait for a connection. */
  readonly timeout: number;
  /** The connections are the user's: their isolation level is set for each transaction anew. */
  readonly lent: boolean;
}

/** What a piece of work came to. `committing`: it failed when it was to commit, so it may have happened. */
class Failure {
  constructor(
    readonly error: unknown,
    readonly committing: boolean,
  ) {}
}

/** The database as the contracts of a connection meet it: work that runs on one connection, whole or not at all. */
export class Store {
  readonly #pool: Pool;
  readonly #terms: StoreTerms;
  #closed = false;

  constructor(pool: Pool, terms: StoreTerms) {
    this.#pool = pool;
    this.#terms = terms;
  }

  get closed(): boolean {
    return this.#closed;
  }

  assertOpen(): void {
    if (this.#closed) throw closedError(this.#terms.location);
  }

  /** Work that changes nothing. */
  read<T>(work: (session: Session) => Promise<T>): Promise<T> {
    return this.#run(work);
  }

  /** Work on one connection, outside of a transaction. What it does may be done again. */
  withConnection<T>(work: (session: PooledSession) => Promise<T>): Promise<T> {
    return this.#run(work);
  }

  /**
   * Work that changes something, in one transaction. It may be called several times: after a deadlock, a lock wait that took
   * too long or a connection that broke before `COMMIT` was sent, nothing has happened.
   */
  write<T>(work: (session: PooledSession) => Promise<T>): Promise<T> {
    return this.#run((session) => this.#inTransaction(session, work));
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#within(this.#pool.close(), () => undefined);
  }

  /** Waits no longer than a call may take: a server that is held up does not answer a farewell either. */
  #within<T>(promise: Promise<T>, late: () => T): Promise<T> {
    const { clock, timeout } = this.#terms;
    return new Promise((resolve, reject) => {
      const stop = (): void => {
        try {
          resolve(late());
        } catch (error) {
          reject(error);
        }
      };
      const cancel = clock.schedule(stop, timeout, true);
      promise.then(resolve, reject).finally(cancel);
    });
  }

  async #run<T>(work: (session: PooledSession) => Promise<T>): Promise<T> {
    const { location } = this.#terms;
    for (let attempt = 1; ; attempt++) {
      this.assertOpen();
      const done = await this.#try(work);
      if (!(done instanceof Failure)) return done.value;
      const { error, committing } = done;
      const again = attempt <= RETRIES && !committing && (isContention(error) || isBroken(error));
      if (!again) throw toTaskwrightError(error, location, committing ? "unknown" : "none");
      await this.#pause(attempt);
    }
  }

  async #try<T>(work: (session: PooledSession) => Promise<T>): Promise<{ readonly value: T } | Failure> {
    let session: PooledSession;
    try {
      session = await this.#acquire();
    } catch (error) {
      return new Failure(error, false);
    }
    try {
      const value = await work(session);
      session.release();
      return { value };
    } catch (error) {
      const failure = error instanceof Failure ? error : new Failure(error, false);
      await this.#leave(session, failure);
      return failure;
    }
  }

  async #inTransaction<T>(session: PooledSession, work: (session: PooledSession) => Promise<T>): Promise<T> {
    if (this.#terms.lent) await session.command("SET TRANSACTION ISOLATION LEVEL READ COMMITTED");
    await session.command("START TRANSACTION");
    const value = await work(session);
    try {
      await session.command("COMMIT");
    } catch (error) {
      throw new Failure(error, true);
    }
    return value;
  }

  /** Gives a connection back on which something failed: with nothing open on it, or closed. */
  async #leave(session: PooledSession, { error }: Failure): Promise<void> {
    if (isConnectionLost(error)) return session.destroy();
    try {
      await session.command("ROLLBACK");
      session.release();
    } catch {
      session.destroy();
    }
  }

  /** A connection, within the time that a call may take. */
  #acquire(): Promise<PooledSession> {
    const { timeout, location } = this.#terms;
    let late = false;
    const session = this.#pool.acquire().then((acquired) => {
      if (late) acquired.release();
      return acquired;
    });
    return this.#within(session, () => {
      late = true;
      throw new BrokerError(
        `mysql at ${location}: no connection was free within ${timeout} ms: raise poolSize, or look for transactions that stay open`,
      );
    });
  }

  #pause(attempt: number): Promise<void> {
    const { clock, random } = this.#terms;
    return new Promise((resolve) => {
      clock.schedule(resolve, PAUSE * attempt * random(), true);
    });
  }
}
