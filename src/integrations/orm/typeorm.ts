import type { SqlTransaction } from "../../contracts/transaction.js";
import { type AdapterOptions, adapter, dialectNamed, requireTransaction } from "./adapter.js";

/** The manager that `dataSource.transaction(async (manager) => ...)` gives to its callback, or a query runner's. */
export interface TypeOrmManager {
  readonly queryRunner?:
    | {
        readonly isTransactionActive: boolean;
        query(sql: string, parameters: unknown[], useStructuredResult: true): Promise<{ readonly records: unknown[] }>;
      }
    | undefined;
}

/**
 * A transaction of TypeORM's on PostgreSQL or MySQL, to enqueue and complete jobs in.
 *
 * @throws ConfigError for a manager outside of a transaction, and where the database is neither PostgreSQL nor MySQL
 * @example
 * import { fromTypeORM, type TypeOrmManager } from "taskwright/orm";
 *
 * declare const dataSource: { transaction<T>(work: (manager: TypeOrmManager) => Promise<T>): Promise<T> };
 * await dataSource.transaction(async (manager) => {
 *   await add.with({ tx: fromTypeORM(manager) }).enqueue(2, 3);
 * });
 */
export function fromTypeORM(manager: TypeOrmManager, options: AdapterOptions = {}): SqlTransaction {
  const { queryRunner } = manager;
  requireTransaction("fromTypeORM", queryRunner?.isTransactionActive === true);
  const dialect = dialectNamed("fromTypeORM", typeOf(manager), options);
  return adapter(
    manager,
    dialect,
    async (sql, parameters) => (await queryRunner?.query(sql, parameters, true))?.records,
  );
}

/** The `type` of the data source's options; `connection` is what older versions call it. */
function typeOf(manager: object): unknown {
  const source: unknown = Reflect.get(manager, "dataSource") ?? Reflect.get(manager, "connection");
  const options: unknown = typeof source === "object" && source !== null ? Reflect.get(source, "options") : undefined;
  return typeof options === "object" && options !== null ? Reflect.get(options, "type") : undefined;
}
