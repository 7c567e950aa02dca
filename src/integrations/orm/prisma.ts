import type { SqlTransaction } from "../../contracts/transaction.js";
import { type AdapterOptions, adapter, dialectNamed, requireTransaction } from "./adapter.js";

/** The client that `prisma.$transaction(async (tx) => ...)` gives to its callback. */
export interface PrismaTransaction {
  $queryRawUnsafe(sql: string, ...values: unknown[]): PromiseLike<unknown>;
}

/**
 * A transaction of Prisma's, to enqueue and complete jobs in.
 *
 * @throws ConfigError for a client outside of `$transaction`, and where the database is neither PostgreSQL nor MySQL
 * @example
 * import { fromPrisma, type PrismaTransaction } from "taskwright/orm";
 *
 * declare const prisma: { $transaction<T>(work: (tx: PrismaTransaction) => Promise<T>): Promise<T> };
 * await prisma.$transaction(async (tx) => {
 *   await add.with({ tx: fromPrisma(tx) }).enqueue(2, 3);
 * });
 */
export function fromPrisma(tx: PrismaTransaction, options: AdapterOptions = {}): SqlTransaction {
  requireTransaction("fromPrisma", !("$connect" in tx) || tx.$connect === undefined);
  const dialect = dialectNamed("fromPrisma", Reflect.get(tx, "_activeProvider"), options);
  return adapter(tx, dialect, (sql, parameters) => tx.$queryRawUnsafe(sql, ...parameters));
}
