import type { ConnectionOptions as TlsOptions } from "node:tls";
import type { Logger } from "../../contracts/logger.js";
import { MissingDependencyError } from "../../job/errors.js";

/** What PostgreSQL answers to one statement. */
export interface PgResult {
  readonly rows: readonly unknown[];
}

/** What can run a statement: a `Client`, `PoolClient` or `Pool` of pg. */
export interface PgQueryable {
  query(text: string, values: readonly unknown[]): Promise<unknown>;
}

/** A connection that a pool lends. */
export interface PgClient {
  query(query: object): Promise<PgResult>;
  /** Given an error, the pool drops the connection. */
  release(error?: Error | boolean): void;
  on(event: string, listener: (...args: unknown[]) => void): unknown;
  off(event: string, listener: (...args: unknown[]) => void): unknown;
}

/** What is used of a pool of pg (`new Pool(...)`). */
export interface PgPool {
  connect(): Promise<PgClient>;
  end(): Promise<void>;
  on(event: string, listener: (...args: unknown[]) => void): unknown;
  off(event: string, listener: (...args: unknown[]) => void): unknown;
}

/** What a pool of our own is opened with. */
export interface PoolSettings {
  readonly url: string;
  readonly size: number;
  readonly tls: TlsOptions | undefined;
  /** Milliseconds for a connection to open or become free. */
  readonly timeout: number;
}

interface Library {
  readonly Pool: new (options: object) => PgPool;
}

/** Opens a pool; it connects when it is first used. */
export async function openPool({ url, size, tls, timeout }: PoolSettings): Promise<PgPool> {
  const { Pool } = await load();
  return new Pool({
    connectionString: url,
    max: size,
    connectionTimeoutMillis: timeout,
    keepAlive: true,
    application_name: "taskwright",
    ...(tls !== undefined && { ssl: tls }),
  });
}

async function load(): Promise<Library> {
  try {
    const loaded = (await import("pg")) as unknown as Library & { readonly default?: Library };
    return loaded.default ?? loaded;
  } catch (error) {
    throw new MissingDependencyError("the postgres driver needs pg: run `npm install pg`", { cause: error });
  }
}

/** A connection that breaks while idle is no error of anybody's: the pool opens another one. Nobody else may listen. */
export function hearErrors(pool: PgPool, logger: Logger): () => void {
  const hear = (error: unknown): void => logger.debug({ error }, "an idle connection to postgres broke");
  pool.on("error", hear);
  return () => pool.off("error", hear);
}
