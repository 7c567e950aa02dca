import { createConnection } from "mysql2/promise";
import { SchemaError } from "taskwright";
import { mysql } from "taskwright/drivers/mysql";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { Driver, Migrator } from "../../../src/contracts/index.js";
import { type MysqlServer, startMysql } from "../../support/mysql/server.js";
import { ENVIRONMENT, failure } from "./support.js";

let server: MysqlServer;
let databases = 0;

beforeAll(async () => {
  server = await startMysql();
  return () => server.remove();
});

/** A database with nothing in it. */
async function emptyDatabase(): Promise<{ readonly url: string; readonly database: string }> {
  const database = `empty_${++databases}`;
  await server.ask(`CREATE DATABASE ${database}`);
  return { url: server.url.replace(/test$/, database), database };
}

async function migratorOf(driver: Driver): Promise<Migrator> {
  const migrator = await driver.migrator?.(ENVIRONMENT);
  if (migrator === undefined) throw new Error("the driver has no migrator");
  onTestFinished(() => migrator.close());
  return migrator;
}

async function tablesOf(database: string): Promise<string[]> {
  const rows = await server.ask(`SELECT table_name AS name FROM information_schema.tables
    WHERE table_schema = '${database}' ORDER BY table_name`);
  return rows.map(({ name }) => String(name));
}

/** What the tables are made of. */
async function columnsOf(database: string): Promise<string[]> {
  const rows = await server.ask(`SELECT table_name AS t, column_name AS c, column_type AS y, column_key AS k
    FROM information_schema.columns WHERE table_schema = '${database}' ORDER BY 1, ordinal_position`);
  return rows.map(({ t, c, y, k }) => `${t} ${c} ${y} ${k}`);
}

describe("a database without tables", () => {
  test("is refused with the command that makes them, and nothing is made", async () => {
    const { url, database } = await emptyDatabase();
    const error = await failure(mysql(url).connect(ENVIRONMENT));
    expect(error).toBeInstanceOf(SchemaError);
    expect(String(error)).toMatch(/has no tables of taskwright.*`taskwright migrate`/);
    expect(await tablesOf(database)).toEqual([]);
  });

  test("gets them by `apply`, which tells of each, and of nothing the second time", async () => {
    const { url } = await emptyDatabase();
    const driver = mysql(url);
    const migrator = await migratorOf(driver);
    const [before] = await migrator.status();
    expect(before).toMatchObject({ number: 1, name: "tables" });
    expect(before?.appliedAt).toBeUndefined();
    const told: number[] = [];
    const applied = await migrator.apply(({ number }) => told.push(number));
    expect(applied).toEqual(driver.migrations);
    expect(told).toEqual(applied.map(({ number }) => number));
    expect(await migrator.apply()).toEqual([]);
    const [after] = await migrator.status();
    expect(Math.abs((after?.appliedAt ?? 0) - Date.now())).toBeLessThan(60_000);
    await (await driver.connect(ENVIRONMENT)).close();
  });

  test("gets them once when many migrate at the same time", async () => {
    const { url } = await emptyDatabase();
    const migrators = await Promise.all(Array.from({ length: 4 }, () => migratorOf(mysql(url))));
    const applied = await Promise.all(migrators.map((migrator) => migrator.apply()));
    expect(applied.flat()).toEqual(mysql(url).migrations);
  });

  test("gets the same tables by the script", async () => {
    const [one, other] = [await emptyDatabase(), await emptyDatabase()];
    const driver = mysql(one.url);
    await (await migratorOf(driver)).apply();
    const connection = await createConnection({ uri: other.url, multipleStatements: true });
    onTestFinished(() => connection.destroy());
    await connection.query(driver.migrations?.map(({ sql }) => sql).join("") ?? "");
    expect(await columnsOf(other.database)).toEqual(await columnsOf(one.database));
    await (await mysql(other.url).connect(ENVIRONMENT)).close();
  });
});

test("a migration that died halfway is refused, and finished by the next `apply`", async () => {
  const { url, database } = await emptyDatabase();
  const migrator = await migratorOf(mysql(url));
  await migrator.apply();
  const whole = await tablesOf(database);
  await server.ask(`DELETE FROM ${database}.taskwright_migrations`);
  await server.ask(`DROP TABLE ${database}.taskwright_dead, ${database}.taskwright_counters`);
  await expect(mysql(url).connect(ENVIRONMENT)).rejects.toThrow(SchemaError);
  expect(await migrator.apply()).toEqual(mysql(url).migrations);
  expect(await tablesOf(database)).toEqual(whole);
  await (await mysql(url).connect(ENVIRONMENT)).close();
});

test("a database that a newer version migrated is refused by `connect`, `status` and `apply`", async () => {
  const { url, database } = await emptyDatabase();
  const migrator = await migratorOf(mysql(url));
  await migrator.apply();
  await server.ask(`INSERT INTO ${database}.taskwright_migrations VALUES (99, 'later', 'x', 0)`);
  for (const call of [() => mysql(url).connect(ENVIRONMENT), () => migrator.status(), () => migrator.apply()]) {
    const error = await failure(call());
    expect(error).toBeInstanceOf(SchemaError);
    expect(String(error)).toMatch(
      /has migration 99 \(.*\), which this version of taskwright does not know: upgrade taskwright here/,
    );
  }
});

test("a migration that was changed after it was applied is refused", async () => {
  const { url, database } = await emptyDatabase();
  const migrator = await migratorOf(mysql(url));
  await migrator.apply();
  await server.ask(`UPDATE ${database}.taskwright_migrations SET checksum = 'other'`);
  for (const call of [() => mysql(url).connect(ENVIRONMENT), () => migrator.status(), () => migrator.apply()]) {
    await expect(call()).rejects.toThrow(/a migration 1 \(tables\) that is not the one of this version of taskwright/);
  }
});

test("prefixes keep tables apart in one database", async () => {
  const { url, database } = await emptyDatabase();
  await (await migratorOf(mysql(`${url}?tablePrefix=one_`))).apply();
  await expect(mysql(`${url}?tablePrefix=two_`).connect(ENVIRONMENT)).rejects.toThrow(/prefix two_/);
  expect((await tablesOf(database)).every((name) => name.startsWith("one_"))).toBe(true);
});

test("users without the right to change tables can work, once somebody else has migrated", async () => {
  const { url, database } = await emptyDatabase();
  await (await migratorOf(mysql(url))).apply();
  await server.ask("CREATE USER worker@'%' IDENTIFIED BY 's3cret'");
  await server.ask(`GRANT SELECT, INSERT, UPDATE, DELETE ON ${database}.* TO worker@'%'`);
  const limited = mysql(url.replace("root@", "worker:s3cret@"));
  const opened = await limited.connect(ENVIRONMENT);
  onTestFinished(() => opened.close());
  const body = Buffer.from("x");
  expect(await opened.broker?.publish([{ id: "a", queue: "q", priority: 0, task: "t", body }])).toEqual(["created"]);
  await server.ask(`DELETE FROM ${database}.taskwright_migrations`);
  const error = await failure((await migratorOf(limited)).apply());
  expect(error).toMatchObject({ code: "config" });
  expect(String(error)).toContain("check user, password and grants");
  expect(String(error)).not.toContain("s3cret");
});
