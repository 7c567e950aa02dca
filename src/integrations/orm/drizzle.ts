import type { SqlTransaction } from "../../contracts/transaction.js";
import { ConfigError } from "../../job/errors.js";
import { type AdapterOptions, adapter, dialectNamed, requireTransaction } from "./adapter.js";

/** Text and parameters in the shape of Drizzle's `sql`. */
interface DrizzleQuery {
  getSQL(): never;
}

/** The transaction that `db.transaction(async (tx) => ...)` gives to its callback. */
export interface DrizzleTransaction {
  /** Absent on SQLite. */
  execute?(query: DrizzleQuery): PromiseLike<unknown>;
  rollback(): never;
}

const KIND = Symbol.for("drizzle:entityKind");

/**
 * A transaction of Drizzle's on PostgreSQL or MySQL, to enqueue and complete jobs in.
 *
 * @throws ConfigError for a database outside of `transaction`, and for one on SQLite: there the `tx` is your `Database`
 * @example
 * import { type DrizzleTransaction, fromDrizzle } from "taskwright/orm";
 *
 * declare const db: { transaction<T>(work: (tx: DrizzleTransaction) => Promise<T>): Promise<T> };
 * await db.transaction(async (tx) => {
 *   await add.with({ tx: fromDrizzle(tx) }).enqueue(2, 3);
 * });
 */
export function fromDrizzle(tx: DrizzleTransaction, options: AdapterOptions = {}): SqlTransaction {
  requireTransaction("fromDrizzle", typeof tx.rollback === "function");
  const { execute } = tx;
  if (execute === undefined) {
    throw new ConfigError("fromDrizzle: SQLite has one connection, so give your Database itself as tx");
  }
  const dialect = dialectNamed("fromDrizzle", dialectOf(tx), options);
  return adapter(tx, dialect, (sql, parameters) => Reflect.apply(execute, tx, [query(sql, parameters)]));
}

/** `PgDialect` or `MySqlDialect`. */
function dialectOf(tx: object): unknown {
  const dialect: unknown = Reflect.get(tx, "dialect");
  return typeof dialect === "object" && dialect !== null ? Reflect.get(dialect.constructor, KIND) : undefined;
}

/**
 * What `sql` would make, without it: Drizzle asks a query for its SQL, and that for text and parameters in its dialect,
 * which ours are in already.
 */
function query(sql: string, params: readonly unknown[]): object {
  const ready = { toQuery: () => ({ sql, params }) };
  return { getSQL: () => ready };
}
