/**
 * Transactions of ORMs, to enqueue and complete jobs in. No ORM is imported here: each adapter takes what yours gives you.
 *
 * @module
 */
export type { SqlDialect, SqlParameter, SqlRow, SqlTransaction } from "../../contracts/transaction.js";
export type { AdapterOptions } from "./adapter.js";
export { type DrizzleTransaction, fromDrizzle } from "./drizzle.js";
export { fromKnex, type KnexTransaction } from "./knex.js";
export { fromKysely, type KyselyQuery, type KyselyTransaction } from "./kysely.js";
export { fromMikroORM, type MikroOrmManager } from "./mikro-orm.js";
export { fromPrisma, type PrismaTransaction } from "./prisma.js";
export { fromSequelize, type SequelizeInstance, type SequelizeQuery } from "./sequelize.js";
export { fromTypeORM, type TypeOrmManager } from "./typeorm.js";
