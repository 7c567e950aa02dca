import type { ConnectionOptions as TlsOptions } from "node:tls";
import type { SqlRow } from "../../../contracts/transaction.js";
import { ConfigError, MissingDependencyError } from "../../../job/errors.js";
import { randomNumber } from "../random-number.js";
import type { Parameter } from "../sql.js";
import type { Pool, PooledSession, Session } from "./client.js";

/** Which server, and how to be let in. */
export interface Address {
  readonly host: string;
  readonly port: number;
  /** A unix socket, instead of host and port. */
  readonly socketPath?: string;
  readonly user?: string;
  readonly password?: string;
  readonly database: string;
  readonly ssl?: TlsOptions & { readonly verifyIdentity: boolean };
}

/** What is used of a connection of mysql2, with promises (`mysql2/promise`, or `connection.promise()`). */
export interface Mysql2Connection {
  query(options: Mysql2Statement): Promise<[unknown, unknown]>;
  execute(options: Mysql2Statement): Promise<[unknown, unknown]>;
}

/** A statement as mysql2 takes it. */
export interface Mysql2Statement {
  readonly sql: string;
  readonly values?: (Buffer | number | null)[];
  readonly timeout?: number;
}

/** A connection that goes back to its pool. */
export interface Mysql2PoolConnection extends Mysql2Connection {
  release(): void;
  destroy(): void;
}

/** What is used of a pool of mysql2, with promises. */
export interface Mysql2Pool {
  getConnection(): Promise<Mysql2PoolConnection>;
}

/** mysql2 as it is used here; its own types must not be needed to use ours. */
interface Library {
  createPool(options: object): Mysql2Pool & {
    end(): Promise<void>;
    on(event: "connection", listener: (connection: RawConnection) => void): unknown;
  };
}

/** What the event of a new connection gives: one with callbacks. */
interface RawConnection {
  query(sql: string, done: (error: unknown) => void): unknown;
}

interface PoolTerms {
  readonly poolSize: number;
  /** Milliseconds for connecting, and for each statement. */
  readonly timeout: number;
}

/**
 * What each connection of ours is told first. READ COMMITTED locks the rows it changes and no gaps between them, so that
 * those who insert do not wait for those who delete. `SESSION`, as in any mode of pooling but ours alone.
 */
const SETTINGS = [
  "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
  "SET SESSION innodb_lock_wait_timeout = 5, sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'",
];

/** Statements that one connection keeps prepared; there are about 150, of which a worker uses 30. */
const PREPARED = 256;

/** Opens a pool of mysql2. Nothing is connected before the first statement. */
export async function openPool(address: Address, terms: PoolTerms): Promise<Pool> {
  const { createPool } = await load();
  const pool = createPool({
    ...address,
    connectionLimit: terms.poolSize,
    connectTimeout: terms.timeout,
    enableKeepAlive: true,
    maxPreparedStatements: PREPARED,
    charset: "utf8mb4",
  });
  // Queued before the first statement. Where one fails, so does the connection, and the statement says why.
  pool.on("connection", (connection) => {
    for (const setting of SETTINGS) connection.query(setting, () => {});
  });
  return {
    acquire: async () => new Mysql2Session(await pool.getConnection(), terms.timeout),
    close: () => pool.end(),
  };
}

/** A pool of the user's, which is left open. */
export function adoptPool(given: unknown, timeout: number): Pool {
  const pool = withPromises(given);
  if (!hasMethods<Mysql2Pool>(pool, "getConnection")) {
    throw new ConfigError("pool is no pool of mysql2: give what `createPool` of `mysql2/promise` returns");
  }
  return {
    acquire: async () => new Mysql2Session(await pool.getConnection(), timeout),
    close: async () => {},
  };
}

/** A connection of the user's, in a transaction. `undefined`: it is none. */
export function adoptConnection(given: unknown): Session | undefined {
  const connection = withPromises(given);
  if (!hasMethods<Mysql2Connection>(connection, "query", "execute")) return undefined;
  return {
    writer: randomNumber(),
    // As text, so that no statements are left prepared on it. Our parameters are bytes and numbers, which need no quotes.
    run: async (sql, parameters = []) => rowsOf((await connection.query({ sql, values: parameters.map(toValue) }))[0]),
  };
}

/** mysql2 gives its pools and connections with callbacks too; these have a way to the others. */
function withPromises(given: unknown): unknown {
  if (!hasMethods<{ promise(): unknown }>(given, "promise")) return given;
  return given.promise();
}

function hasMethods<T>(value: unknown, ...names: readonly (keyof T & string)[]): value is T {
  if (typeof value !== "object" || value === null) return false;
  return names.every((name) => typeof Reflect.get(value, name) === "function");
}

class Mysql2Session implements PooledSession {
  readonly writer = null;
  readonly #connection: Mysql2PoolConnection;
  readonly #timeout: number;

  constructor(connection: Mysql2PoolConnection, timeout: number) {
    this.#connection = connection;
    this.#timeout = timeout;
  }

  async run(sql: string, parameters: readonly Parameter[] = []): Promise<readonly SqlRow[]> {
    return rowsOf(await this.#execute(sql, parameters));
  }

  async change(sql: string, parameters: readonly Parameter[] = []): Promise<number> {
    const result = await this.#execute(sql, parameters);
    const { affectedRows } = (result ?? {}) as { affectedRows?: unknown };
    return typeof affectedRows === "number" ? affectedRows : 0;
  }

  async command(sql: string): Promise<void> {
    await this.#connection.query({ sql, timeout: this.#timeout });
  }

  release(): void {
    this.#connection.release();
  }

  destroy(): void {
    this.#connection.destroy();
  }

  /**
   * Prepared: for batches of 1,000 jobs the server took 10 to 12 microseconds a published job, and 14 to 18 for the same
   * statements as text.
   */
  async #execute(sql: string, parameters: readonly Parameter[]): Promise<unknown> {
    const statement = { sql, values: parameters.map(toValue), timeout: this.#timeout };
    return (await this.#connection.execute(statement))[0];
  }
}

/** mysql2 knows bytes by their `Buffer`. */
function toValue(parameter: Parameter): Buffer | number | null {
  if (parameter === null || typeof parameter === "number" || Buffer.isBuffer(parameter)) return parameter;
  return Buffer.from(parameter.buffer, parameter.byteOffset, parameter.byteLength);
}

/** A statement that returns no rows answers with one object that says what it did. */
function rowsOf(result: unknown): readonly SqlRow[] {
  return Array.isArray(result) ? (result as readonly SqlRow[]) : [];
}

async function load(): Promise<Library> {
  try {
    const library: unknown = await import("mysql2/promise");
    // A CommonJS module: its names are not always found without its default.
    return hasMethods<Library>(library, "createPool") ? library : (library as { default: Library }).default;
  } catch (error) {
    throw new MissingDependencyError("the mysql driver needs mysql2: run `npm install mysql2`", { cause: error });
  }
}
