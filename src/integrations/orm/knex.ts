import type { SqlTransaction } from "../../contracts/transaction.js";
import { type AdapterOptions, adapter, dialectNamed, requireTransaction, toQuestionMarks } from "./adapter.js";

/** The transaction that `knex.transaction(async (trx) => ...)` gives to its callback, or answers. */
export interface KnexTransaction {
  readonly isTransaction?: boolean;
  readonly client: { readonly dialect?: string };
  raw(sql: string, bindings: (string | number | Buffer | null)[]): PromiseLike<unknown>;
}

/**
 * A transaction of Knex's on PostgreSQL or MySQL, to enqueue and complete jobs in. Objection's are the same.
 *
 * @throws ConfigError for a `knex` that is no transaction, and where the database is neither PostgreSQL nor MySQL
 * @example
 * import { fromKnex, type KnexTransaction } from "taskwright/orm";
 *
 * declare const knex: { transaction<T>(work: (trx: KnexTransaction) => Promise<T>): Promise<T> };
 * await knex.transaction(async (trx) => {
 *   await add.with({ tx: fromKnex(trx) }).enqueue(2, 3);
 * });
 */
export function fromKnex(trx: KnexTransaction, options: AdapterOptions = {}): SqlTransaction {
  requireTransaction("fromKnex", trx.isTransaction === true);
  const dialect = dialectNamed("fromKnex", trx.client.dialect, options);
  return adapter(trx, dialect, (sql, parameters) => {
    if (dialect !== "postgres") return trx.raw(sql, parameters);
    const marked = toQuestionMarks(sql, parameters);
    return trx.raw(marked.sql, marked.parameters);
  });
}
