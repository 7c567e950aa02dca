import { postgres } from "taskwright/drivers/postgres";
import { describe, expect, it, onTestFinished } from "vitest";
import { SchemaError } from "../../../src/job/errors.js";
import { type PostgresServer, startPostgres } from "../../support/postgres/server.js";
import { ENVIRONMENT } from "../../support/postgres/shared.js";

let server: Promise<PostgresServer> | undefined;
let schemas = 0;

/** A schema that does not exist yet. */
async function nowhere() {
  server ??= startPostgres();
  const { url, ask } = await server;
  const schema = `migrated_${++schemas}`;
  return { driver: postgres(`${url}?schema=${schema}`), schema, ask };
}

async function migratorOf(driver: ReturnType<typeof postgres>) {
  const migrator = await driver.migrator?.(ENVIRONMENT);
  if (!migrator) throw new Error("there is no migrator");
  onTestFinished(() => migrator.close());
  return migrator;
}

describe("the migrations of postgres", () => {
  it("are missing at first, which connecting says with the command, and then all applied", async () => {
    const { driver } = await nowhere();
    await expect(driver.connect(ENVIRONMENT)).rejects.toThrow(SchemaError);
    await expect(driver.connect(ENVIRONMENT)).rejects.toThrow(/no tables of taskwright yet: run `taskwright migrate`/);
    const migrator = await migratorOf(driver);
    expect((await migrator.status()).map(({ appliedAt }) => appliedAt)).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
    const told: string[] = [];
    await migrator.apply(({ name }) => told.push(name));
    expect(told).toEqual(["tables", "functions", "by_key", "put_back"]);
    expect(await migrator.apply()).toEqual([]);
    for (const { appliedAt } of await migrator.status())
      expect(Math.abs((appliedAt ?? 0) - Date.now())).toBeLessThan(60_000);
    await (await driver.connect(ENVIRONMENT)).close();
  });

  it("are applied once by two who start at the same time", async () => {
    const { driver } = await nowhere();
    const migrators = await Promise.all([migratorOf(driver), migratorOf(driver), migratorOf(driver)]);
    const applied = await Promise.all(migrators.map((migrator) => migrator.apply()));
    expect(
      applied
        .flat()
        .map(({ number }) => number)
        .sort(),
    ).toEqual([1, 2, 3, 4]);
  });

  it("can be run as the scripts that they are, ledger included", async () => {
    const { driver, ask } = await nowhere();
    for (const { sql } of driver.migrations ?? []) await ask(sql);
    expect(await (await migratorOf(driver)).apply()).toEqual([]);
    await (await driver.connect(ENVIRONMENT)).close();
  });

  it("say which version is older, newer or changed", async () => {
    const { driver, schema, ask } = await nowhere();
    await (await migratorOf(driver)).apply();
    await ask(`DELETE FROM ${schema}.migrations WHERE number = 4`);
    await expect(driver.connect(ENVIRONMENT)).rejects.toThrow(/has 3 of the 4 migrations .*: run `taskwright migrate`/);
    await ask(`INSERT INTO ${schema}.migrations VALUES (4, 'put_back', 'another')`);
    await expect(driver.connect(ENVIRONMENT)).rejects.toThrow(/migration 4 \(put_back\) that is not the one/);
    await ask(`UPDATE ${schema}.migrations SET number = 5 WHERE number = 4`);
    await expect(driver.connect(ENVIRONMENT)).rejects.toThrow(/migration 5 .*does not know: upgrade taskwright here/);
    await expect((await migratorOf(driver)).status()).rejects.toThrow(SchemaError);
  });

  it("leave nothing of one that fails", async () => {
    const { driver, schema, ask } = await nowhere();
    await ask(`CREATE SCHEMA ${schema}; CREATE TABLE ${schema}.dead ()`);
    const migrator = await migratorOf(driver);
    await expect(migrator.apply()).rejects.toThrow(/"dead" already exists/);
    await ask(`DROP TABLE ${schema}.dead`);
    expect(await migrator.apply()).toHaveLength(4);
  });
});
