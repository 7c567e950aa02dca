import { ConfigError } from "taskwright";
import { fromDrizzle, fromKnex, fromKysely, fromTypeORM, type KnexTransaction } from "taskwright/orm";
import { describe, expect, test } from "vitest";

const knex = (dialect?: string): KnexTransaction => ({
  isTransaction: true,
  client: dialect === undefined ? {} : { dialect },
  raw: async () => ({ rows: [] }),
});

describe("the dialect of a transaction", () => {
  test.each([
    ["postgresql", "postgres"],
    ["pgnative", "postgres"],
    ["cockroachdb", "postgres"],
    ["mysql", "mysql"],
    ["mariadb", "mysql"],
    ["better-sqlite3", "sqlite"],
  ] as const)("%s is %s", (name, dialect) => {
    expect(fromKnex(knex(name)).dialect).toBe(dialect);
  });

  test("is asked for where no driver speaks it, or nobody says it", () => {
    expect(() => fromKnex(knex("mssql"))).toThrow(ConfigError);
    expect(() => fromKnex(knex("mssql"))).toThrow(
      /fromKnex: the database speaks mssql: pass \{ dialect: "postgres" \}/,
    );
    expect(() => fromKnex(knex())).toThrow(/does not say what it speaks/);
    expect(fromKnex(knex(), { dialect: "mysql" }).dialect).toBe("mysql");
    const queryRunner = { isTransactionActive: true, query: async () => ({ records: [] }) };
    expect(() => fromTypeORM({ queryRunner })).toThrow(/fromTypeORM: the database does not say/);
    const none = { supportsReturning: false, supportsTransactionalDdl: true };
    const plain = { executeQuery: async () => ({ rows: [] }), getExecutor: () => ({ adapter: none }) };
    expect(() => fromKysely({ isTransaction: true, withoutPlugins: () => plain })).toThrow(/fromKysely: the database/);
  });

  test("may be chosen, anew in each call", () => {
    const trx = knex("mysql");
    expect(fromKnex(trx, { dialect: "postgres" }).dialect).toBe("postgres");
    expect(fromKnex(trx).dialect).toBe("mysql");
  });

  test("Drizzle's transactions on SQLite are sent to the database", () => {
    const rollback = (): never => {
      throw new Error();
    };
    expect(() => fromDrizzle({ rollback })).toThrow(/SQLite has one connection, so give your Database itself as tx/);
  });
});
