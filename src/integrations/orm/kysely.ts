import type { SqlTransaction } from "../../contracts/transaction.js";
import { type AdapterOptions, adapter, dialectNamed, requireTransaction } from "./adapter.js";

/** A statement as Kysely runs it. */
export interface KyselyQuery {
  readonly sql: string;
  readonly parameters: readonly unknown[];
  readonly query: {
    readonly kind: "RawNode";
    readonly sqlFragments: readonly string[];
    readonly parameters: readonly [];
  };
  readonly queryId: { readonly queryId: string };
}

/** The transaction that `db.transaction().execute(async (trx) => ...)` gives to its callback, or a controlled one. */
export interface KyselyTransaction {
  readonly isTransaction: boolean;
  withoutPlugins(): {
    executeQuery(query: KyselyQuery): Promise<{ readonly rows: readonly unknown[] }>;
    getExecutor(): { readonly adapter: KyselyAdapter };
  };
}

interface KyselyAdapter {
  readonly supportsReturning: boolean;
  readonly supportsTransactionalDdl: boolean;
}

/**
 * A transaction of Kysely's on PostgreSQL or MySQL, to enqueue and complete jobs in.
 *
 * @throws ConfigError for a `Kysely` that is no transaction, and where the database is neither PostgreSQL nor MySQL
 * @example
 * import { fromKysely, type KyselyTransaction } from "taskwright/orm";
 *
 * declare const db: { transaction(): { execute<T>(work: (trx: KyselyTransaction) => Promise<T>): Promise<T> } };
 * await db.transaction().execute(async (trx) => {
 *   await add.with({ tx: fromKysely(trx) }).enqueue(2, 3);
 * });
 */
export function fromKysely(trx: KyselyTransaction, options: AdapterOptions = {}): SqlTransaction {
  requireTransaction("fromKysely", trx.isTransaction);
  // A plugin, such as the one for camel case, would rename the columns of our rows.
  const plain = trx.withoutPlugins();
  const dialect = dialectNamed("fromKysely", dialectOf(plain.getExecutor().adapter), options);
  return adapter(trx, dialect, (sql, parameters) => plain.executeQuery(compiled(sql, parameters)));
}

/** Adapters have no names that survive a minifier, but what they support differs. */
function dialectOf({ supportsReturning, supportsTransactionalDdl }: KyselyAdapter): string | undefined {
  if (supportsReturning) return supportsTransactionalDdl ? "postgres" : "sqlite";
  return supportsTransactionalDdl ? undefined : "mysql";
}

let queries = 0;

function compiled(sql: string, parameters: readonly unknown[]): KyselyQuery {
  queries += 1;
  const query = { kind: "RawNode", sqlFragments: [sql], parameters: [] } as const;
  return { sql, parameters, query, queryId: { queryId: `taskwright-${queries}` } };
}
