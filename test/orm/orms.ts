import { MikroORM as MikroMySql } from "@mikro-orm/mysql";
import { MikroORM as MikroPostgres } from "@mikro-orm/postgresql";
import { PrismaMariaDb } from "@prisma/adapter-mariadb";
import { PrismaPg } from "@prisma/adapter-pg";
import { sql as drizzleSql } from "drizzle-orm";
import { drizzle as drizzleMySql } from "drizzle-orm/mysql2";
import { drizzle as drizzlePostgres } from "drizzle-orm/node-postgres";
import knexFor from "knex";
import { CamelCasePlugin, CompiledQuery, Kysely, MysqlDialect, PostgresDialect } from "kysely";
import { createPool as createCallbackPool } from "mysql2";
import { createPool } from "mysql2/promise";
import { Pool } from "pg";
import { QueryTypes, Sequelize } from "sequelize";
import {
  fromDrizzle,
  fromKnex,
  fromKysely,
  fromMikroORM,
  fromPrisma,
  fromSequelize,
  fromTypeORM,
  type SqlTransaction,
} from "taskwright/orm";
import { DataSource } from "typeorm";
import { generateClient } from "./prisma-client.js";

export type Database = "postgres" | "mysql";

/** An ORM on a database, as its users have it. */
export interface Orm<Tx extends object = SqlTransaction> {
  /** Runs `work` in a transaction of the ORM's, which it rolls back where `work` throws. */
  transaction(work: (inside: Inside<Tx>) => Promise<void>): Promise<void>;
  close(): Promise<unknown>;
}

/** An ORM that has an adapter. */
export interface AdaptedOrm extends Orm {
  /** Gives the adapter what is no transaction. */
  outside(): unknown;
}

/** The inside of a transaction. */
export interface Inside<Tx extends object = SqlTransaction> {
  /** Made anew in each call, as users do. */
  tx(): Tx;
  /** Runs a statement through the ORM itself. */
  run(sql: string): PromiseLike<unknown>;
}

type OpenOrm = (url: string) => Promise<AdaptedOrm>;

/** Every ORM that has an adapter, on every database that it is tested on. */
export const ORMS: Readonly<Record<string, Readonly<Record<Database, OpenOrm>>>> = {
  kysely: { postgres: openKyselyPostgres, mysql: openKyselyMySql },
  knex: { postgres: (url) => openKnex("pg", url), mysql: (url) => openKnex("mysql2", url) },
  drizzle: { postgres: openDrizzlePostgres, mysql: openDrizzleMySql },
  typeorm: { postgres: (url) => openTypeOrm("postgres", url), mysql: (url) => openTypeOrm("mariadb", url) },
  sequelize: { postgres: (url) => openSequelize("postgres", url), mysql: (url) => openSequelize("mysql", url) },
  "mikro-orm": { postgres: openMikroPostgres, mysql: openMikroMySql },
  prisma: { postgres: openPrismaPostgres, mysql: openPrismaMySql },
};

async function openKyselyPostgres(url: string): Promise<AdaptedOrm> {
  return kysely(new PostgresDialect({ pool: new Pool({ connectionString: url }) }));
}

async function openKyselyMySql(url: string): Promise<AdaptedOrm> {
  return kysely(new MysqlDialect({ pool: createCallbackPool(url) }));
}

function kysely(dialect: PostgresDialect | MysqlDialect): AdaptedOrm {
  // The plugin renames columns: those of our rows must not be.
  const db = new Kysely<unknown>({ dialect, plugins: [new CamelCasePlugin()] });
  return {
    transaction: (work) =>
      db
        .transaction()
        .execute((trx) => work({ tx: () => fromKysely(trx), run: (sql) => trx.executeQuery(CompiledQuery.raw(sql)) })),
    outside: () => fromKysely(db),
    close: () => db.destroy(),
  };
}

async function openKnex(client: "pg" | "mysql2", url: string): Promise<AdaptedOrm> {
  const knex = knexFor({ client, connection: url });
  return {
    transaction: (work) => knex.transaction((trx) => work({ tx: () => fromKnex(trx), run: (sql) => trx.raw(sql) })),
    outside: () => fromKnex(knex),
    close: () => knex.destroy(),
  };
}

async function openDrizzlePostgres(url: string): Promise<AdaptedOrm> {
  const pool = new Pool({ connectionString: url });
  const db = drizzlePostgres(pool);
  return {
    transaction: (work) =>
      db.transaction((tx) => work({ tx: () => fromDrizzle(tx), run: (sql) => tx.execute(drizzleSql.raw(sql)) })),
    outside: () => fromDrizzle(db as never),
    close: () => pool.end(),
  };
}

async function openDrizzleMySql(url: string): Promise<AdaptedOrm> {
  const pool = createPool(url);
  const db = drizzleMySql(pool);
  return {
    transaction: (work) =>
      db.transaction((tx) => work({ tx: () => fromDrizzle(tx), run: (sql) => tx.execute(drizzleSql.raw(sql)) })),
    outside: () => fromDrizzle(db as never),
    close: () => pool.end(),
  };
}

async function openTypeOrm(type: "postgres" | "mariadb", url: string): Promise<AdaptedOrm> {
  const source = await new DataSource({ type, url }).initialize();
  return {
    transaction: (work) =>
      source.transaction((manager) => work({ tx: () => fromTypeORM(manager), run: (sql) => manager.query(sql) })),
    outside: () => fromTypeORM(source.manager),
    close: () => source.destroy(),
  };
}

async function openSequelize(dialect: "postgres" | "mysql", url: string): Promise<AdaptedOrm> {
  const sequelize = new Sequelize(url, { dialect, logging: false });
  let over: object | undefined;
  return {
    transaction: (work) =>
      sequelize.transaction((transaction) => {
        over = transaction;
        const run = (sql: string) => sequelize.query(sql, { transaction, type: QueryTypes.RAW });
        return work({ tx: () => fromSequelize(sequelize, transaction), run });
      }),
    outside: () => fromSequelize(sequelize, over as never),
    close: () => sequelize.close(),
  };
}

const MIKRO = { entities: [], discovery: { warnWhenNoEntities: false } };

async function openMikroPostgres(url: string): Promise<AdaptedOrm> {
  const orm = await MikroPostgres.init({ ...MIKRO, clientUrl: url });
  return {
    transaction: (work) =>
      orm.em.fork().transactional((em) => work({ tx: () => fromMikroORM(em), run: (sql) => em.execute(sql) })),
    outside: () => fromMikroORM(orm.em.fork()),
    close: () => orm.close(),
  };
}

async function openMikroMySql(url: string): Promise<AdaptedOrm> {
  const orm = await MikroMySql.init({ ...MIKRO, clientUrl: url });
  return {
    transaction: (work) =>
      orm.em.fork().transactional((em) => work({ tx: () => fromMikroORM(em), run: (sql) => em.execute(sql) })),
    outside: () => fromMikroORM(orm.em.fork()),
    close: () => orm.close(),
  };
}

async function openPrismaPostgres(url: string): Promise<AdaptedOrm> {
  return prisma("postgresql", new PrismaPg({ connectionString: url }));
}

async function openPrismaMySql(url: string): Promise<AdaptedOrm> {
  return prisma("mysql", new PrismaMariaDb(url.replace(/^mysql:/, "mariadb:")));
}

async function prisma(provider: "postgresql" | "mysql", adapter: unknown): Promise<AdaptedOrm> {
  const Client = await generateClient(provider);
  const client = new Client({ adapter });
  return {
    transaction: (work) =>
      client.$transaction((tx) => work({ tx: () => fromPrisma(tx), run: (sql) => tx.$queryRawUnsafe(sql) })),
    outside: () => fromPrisma(client),
    close: () => client.$disconnect(),
  };
}
