import type { SqlTransaction } from "../../contracts/transaction.js";
import { type AdapterOptions, requireTransaction } from "./adapter.js";
import { fromKnex, type KnexTransaction } from "./knex.js";
import { fromKysely, type KyselyTransaction } from "./kysely.js";

/** The entity manager that `em.transactional(async (em) => ...)` gives to its callback. */
export interface MikroOrmManager {
  getTransactionContext(): unknown;
}

/**
 * A transaction of MikroORM's on PostgreSQL or MySQL, to enqueue and complete jobs in. It is the transaction of what
 * MikroORM stands on: Knex, and Kysely from version 7.
 *
 * @throws ConfigError for an entity manager outside of a transaction, and where the database is neither PostgreSQL nor MySQL
 * @example
 * import { fromMikroORM, type MikroOrmManager } from "taskwright/orm";
 *
 * declare const orm: { em: { transactional<T>(work: (em: MikroOrmManager) => Promise<T>): Promise<T> } };
 * await orm.em.transactional(async (em) => {
 *   await add.with({ tx: fromMikroORM(em) }).enqueue(2, 3);
 * });
 */
export function fromMikroORM(em: MikroOrmManager, options: AdapterOptions = {}): SqlTransaction {
  const context = em.getTransactionContext();
  if (isKysely(context)) return fromKysely(context, options);
  requireTransaction("fromMikroORM", isKnex(context));
  return fromKnex(context, options);
}

function isKysely(context: unknown): context is KyselyTransaction {
  return typeof context === "object" && context !== null && "withoutPlugins" in context;
}

/** Knex's are functions: `trx("orders")`. */
function isKnex(context: unknown): context is KnexTransaction {
  return typeof context === "function" && "raw" in context && "client" in context;
}
