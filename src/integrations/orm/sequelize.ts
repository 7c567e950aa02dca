import type { SqlTransaction } from "../../contracts/transaction.js";
import { type AdapterOptions, adapter, dialectNamed, requireTransaction } from "./adapter.js";

/** A `Sequelize`. */
export interface SequelizeInstance {
  getDialect(): string;
  query(sql: string, options: SequelizeQuery): Promise<unknown>;
}

/** What a statement is given along. */
export interface SequelizeQuery {
  /** Sequelize's own type of it is left to Sequelize. */
  readonly transaction: never;
  readonly raw: true;
  readonly logging: false;
  /** For `$1`. */
  readonly bind?: unknown[];
  /** For `?`. */
  readonly replacements?: unknown[];
}

/**
 * A transaction of Sequelize's on PostgreSQL or MySQL, to enqueue and complete jobs in.
 *
 * @throws ConfigError for a transaction that is over, and where the database is neither PostgreSQL nor MySQL
 * @example
 * import { fromSequelize, type SequelizeInstance } from "taskwright/orm";
 *
 * declare const sequelize: SequelizeInstance & {
 *   transaction<T>(work: (transaction: object) => Promise<T>): Promise<T>;
 * };
 * await sequelize.transaction(async (transaction) => {
 *   await add.with({ tx: fromSequelize(sequelize, transaction) }).enqueue(2, 3);
 * });
 */
export function fromSequelize(
  sequelize: SequelizeInstance,
  transaction: object,
  options: AdapterOptions = {},
): SqlTransaction {
  const isOpen =
    typeof transaction === "object" && transaction !== null && Reflect.get(transaction, "finished") === undefined;
  requireTransaction("fromSequelize", isOpen);
  const dialect = dialectNamed("fromSequelize", sequelize.getDialect(), options);
  const common = { transaction: transaction as never, raw: true, logging: false } as const;
  return adapter(transaction, dialect, (sql, parameters) => {
    if (parameters.length === 0) return sequelize.query(sql, common);
    const given = dialect === "postgres" ? { bind: parameters } : { replacements: parameters };
    return sequelize.query(sql, { ...common, ...given });
  });
}
