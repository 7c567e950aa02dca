import { createConnection } from "mysql2/promise";
import { mysql } from "taskwright/drivers/mysql";
import { beforeAll, expect, onTestFinished, test } from "vitest";
import { type MysqlServer, startMysql } from "../../support/mysql/server.js";
import { migrate } from "../../support/postgres/shared.js";
import { frozenDatabases, readFrozen } from "../frozen/files.js";
import { meetNewer } from "../frozen/newer.js";
import { upgrade } from "../frozen/upgrade.js";

const FROZEN = await frozenDatabases("mysql");
let server: MysqlServer;

beforeAll(async () => {
  server = await startMysql();
  return () => server.remove();
});

test.each(FROZEN)("a database at migration $level is upgraded with all that is in it", async (frozen) => {
  await server.ask(`CREATE DATABASE frozen_${frozen.level}`);
  const url = server.url.replace(/[^/]*$/, `frozen_${frozen.level}`);
  const connection = await createConnection({ uri: url, multipleStatements: true });
  onTestFinished(() => connection.destroy());
  await connection.query(await readFrozen(frozen));
  await upgrade(url, frozen.level);
});

test("the newest migration has a frozen database: else run `npx jiti scripts/freeze-databases.ts`", () => {
  expect(FROZEN.at(-1)?.level).toBe(mysql("mysql://localhost/test").migrations?.at(-1)?.number);
});

/** As a later version would: what is there stays, and more comes to it. */
const FURTHER = [
  "ALTER TABLE newer.taskwright_jobs ADD COLUMN extra INT NOT NULL DEFAULT 0",
  "ALTER TABLE newer.taskwright_line ADD COLUMN extra INT",
  "ALTER TABLE newer.taskwright_dead ADD COLUMN extra INT, ADD KEY by_extra (extra)",
  "INSERT INTO newer.taskwright_migrations VALUES (99, 'extra', 'later', 0)",
];

test("workers of this version go on while a newer one migrates, and newcomers are told to upgrade", async () => {
  await server.ask("CREATE DATABASE newer");
  const url = server.url.replace(/[^/]*$/, "newer");
  await migrate(mysql(url));
  await meetNewer(url, async () => {
    for (const statement of FURTHER) await server.ask(statement);
  });
});
