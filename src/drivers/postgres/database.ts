import type { Clock, Random } from "../../contracts/clock.js";
import { BrokerError } from "../../job/errors.js";
import type { PgClient, PgPool } from "./client.js";
import { closedError, isConflict, toTaskwrightError } from "./errors.js";

/** What is bound to a placeholder. */
export type Parameter = string | number | boolean | Uint8Array | null | readonly string[] | readonly Uint8Array[];

/** One row, by position. */
export type Row = readonly unknown[];

/** Runs statements of ours and gives their rows. Each is `SELECT` of functions, or one plain statement. */
export interface Queryable {
  query(text: string, values: readonly Parameter[]): Promise<readonly Row[]>;
}

/** A deadlock or serialization failure is tried again so often, after up to 10 ms, doubling. */
const TRIES = 6;
const FIRST_PAUSE = 10;

/** The database as the contracts of a connection meet it: statements that end within a deadline. */
export class Database implements Queryable {
  readonly #pool: PgPool;
  readonly location: string;
  /** Quoted, to write before the names of tables and functions. */
  readonly schema: string;
  readonly timeout: number;
  readonly clock: Clock;
  readonly #random: Random;
  /** Connections that we were lent. */
  readonly #known = new WeakSet<PgClient>();
  #closed = false;
  /** Milliseconds that the server's clock is ahead of ours. */
  #ahead = 0;

  constructor(
    pool: PgPool,
    { location, schema, timeout }: { location: string; schema: string; timeout: number },
    { clock, random }: { clock: Clock; random: Random },
  ) {
    this.#pool = pool;
    this.location = location;
    this.schema = `"${schema}"`;
    this.timeout = timeout;
    this.clock = clock;
    this.#random = random;
  }

  /** The same, with another deadline. */
  patient(timeout: number): Database {
    const { location, clock } = this;
    const schema = this.schema.slice(1, -1);
    return new Database(this.#pool, { location, schema, timeout }, { clock, random: this.#random });
  }

  get closed(): boolean {
    return this.#closed;
  }

  close(): void {
    this.#closed = true;
  }

  /** The server's time, as far as it is known here. Nothing is decided by it but when to look again. */
  get time(): number {
    return this.clock.now() + this.#ahead;
  }

  /** A moment of the server's clock, by ours. */
  toLocal(time: number): number {
    return time - this.#ahead;
  }

  noteTime(time: number): void {
    this.#ahead = time - this.clock.now();
  }

  /** From half of a span to all of it, in ms, so that many who wait for the same do not come back at once. */
  jitter(span: number): number {
    return span * (0.5 + this.#random() / 2);
  }

  query(text: string, values: readonly Parameter[] = []): Promise<readonly Row[]> {
    return this.#retrying(() => this.#lend((client) => this.#ask(client, text, values)));
  }

  /** Several statements as one transaction. It may run more than once, each time from its beginning. */
  transaction<T>(work: (queryable: Queryable) => Promise<T>): Promise<T> {
    return this.#retrying(() =>
      this.#lend(async (client) => {
        await this.#ask(client, "BEGIN", []);
        try {
          const result = await work({ query: (text, values) => this.#ask(client, text, values) });
          await this.#ask(client, "COMMIT", []);
          return result;
        } catch (error) {
          // Where that fails as well the connection is gone, and the transaction with it.
          await this.#ask(client, "ROLLBACK", []).catch(() => {});
          throw error;
        }
      }),
    );
  }

  /** A connection of the pool, to be released. */
  async connect(): Promise<PgClient> {
    try {
      const client = await this.#pool.connect();
      // That it breaks is also told apart from any call, and would end the process if nobody listened.
      if (!this.#known.has(client)) client.on("error", () => {});
      this.#known.add(client);
      return client;
    } catch (error) {
      throw toTaskwrightError(error, this.location, "none");
    }
  }

  /** Lends a connection. One that failed otherwise than by a statement's error is dropped by the pool. */
  async #lend<T>(work: (client: PgClient) => Promise<T>): Promise<T> {
    if (this.#closed) throw closedError(this.location);
    const client = await this.connect();
    try {
      const result = await work(client);
      client.release();
      return result;
    } catch (error) {
      const sound = typeof error === "object" && error !== null && "severity" in error && error.severity === "ERROR";
      client.release(!sound);
      throw error;
    }
  }

  async #ask(client: PgClient, text: string, values: readonly Parameter[]): Promise<readonly Row[]> {
    const { rows } = await client.query({ text, values, rowMode: "array", query_timeout: this.timeout });
    return rows as readonly Row[];
  }

  async #retrying<T>(work: () => Promise<T>): Promise<T> {
    for (let tries = 1, pause = FIRST_PAUSE; ; tries++, pause *= 2) {
      try {
        return await work();
      } catch (error) {
        if (!isConflict(error) || tries === TRIES) throw toTaskwrightError(error, this.location, "unknown");
        await this.#pause(this.jitter(pause));
      }
    }
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => this.clock.schedule(resolve, ms, true));
  }
}

/** The one row of an answer that has one. */
export function onlyRow(rows: readonly Row[], location: string): Row {
  const [row] = rows;
  if (row !== undefined) return row;
  throw new BrokerError(`postgres at ${location} gave an answer that a function of ours does not give`, {
    retryable: false,
  });
}
