import { createRequire } from "node:module";
import { CompiledQuery, Kysely, SqliteDialect } from "kysely";
import { ConfigError, currentJob, Taskwright } from "taskwright";
import { sqlite } from "taskwright/drivers/sqlite";
import { fromKysely } from "taskwright/orm";
import { expect, onTestFinished, test } from "vitest";
import { CLIENTS } from "../drivers/sqlite/support.js";
import { temporaryFolder } from "../support/temporary.js";

/** Clients whose `Database` is the one that ORMs work on. */
const [client] = CLIENTS.filter((name) => name !== "node:sqlite");

/** An ORM with one connection, which it is given open, and an app on the same file. */
async function open() {
  const folder = await temporaryFolder();
  const path = `${folder.path}/shop.db`;
  const app = new Taskwright({ broker: sqlite({ path, client: client ?? "libsql" }), defaults: { backoff: 1 } });
  await app.connect();
  const Database = createRequire(import.meta.url)(client ?? "libsql");
  const database = new Database(path);
  const db = new Kysely<unknown>({ dialect: new SqliteDialect({ database }) });
  await db.executeQuery(CompiledQuery.raw("CREATE TABLE effects (id int)"));
  onTestFinished(async () => {
    await app.close();
    await db.destroy();
    await folder.remove();
  });
  return { app, database, db };
}

test("with SQLite the tx is the database that the ORM works on", async () => {
  const { app, database, db } = await open();
  const echo = app.task("echo", (value: string) => value);
  const pay = app.task("pay", () =>
    db.transaction().execute(async (trx) => {
      const { attempt } = currentJob();
      await trx.executeQuery(CompiledQuery.raw("INSERT INTO effects VALUES (?)", [attempt]));
      await echo.with({ tx: database }).enqueue("from within");
      await currentJob().completeIn(database, attempt);
      if (attempt === 1) throw new Error("undone");
    }),
  );
  const job = await pay.enqueue();
  await using worker = app.worker();
  await worker.start();
  expect(await job.result({ timeout: "10s" })).toBe(2);
  await worker.stop();
  await app.drain();
  const { rows } = await db.executeQuery(CompiledQuery.raw("SELECT id FROM effects"));
  expect(rows).toEqual([{ id: 2 }]);
  expect(await app.inspect.queues()).toEqual([]);
});

test("an adapter's transaction is refused, with what to give instead", async () => {
  const { app, db } = await open();
  const echo = app.task("echo", (value: string) => value);
  await db.transaction().execute(async (trx) => {
    const tx = fromKysely(trx);
    expect(tx.dialect).toBe("sqlite");
    await expect(echo.with({ tx }).enqueue("a")).rejects.toThrow(ConfigError);
    await expect(echo.with({ tx }).enqueue("a")).rejects.toThrow(/give the Database that the ORM works on, itself/);
  });
});
