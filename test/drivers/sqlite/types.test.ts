import type BetterSqlite3 from "better-sqlite3";
import type Libsql from "libsql";
import { expectTypeOf, test } from "vitest";
import type { SqliteOptions, UserDatabase } from "../../../src/drivers/sqlite/index.js";

test("the databases of the clients are taken as they are", () => {
  expectTypeOf<BetterSqlite3.Database>().toExtend<UserDatabase>();
  expectTypeOf<InstanceType<typeof Libsql>>().toExtend<UserDatabase>();
  expectTypeOf<BetterSqlite3.Database>().toExtend<NonNullable<SqliteOptions["database"]>>();
  expectTypeOf<{ query(): void }>().not.toExtend<UserDatabase>();
});
