import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { SqliteOptions } from "../../../src/drivers/sqlite/index.js";
import { sqlite } from "../../../src/drivers/sqlite/index.js";
import { SCHEMA_VERSION } from "../../../src/drivers/sqlite/schema.js";
import { BrokerError, ConfigError } from "../../../src/job/errors.js";
import {
  CLIENTS,
  connect,
  consume,
  environment,
  FakeClock,
  job,
  openClient,
  openDatabase,
  temporaryDirectory,
  temporaryFile,
} from "./support.js";

async function refusal(options: SqliteOptions): Promise<Error> {
  return sqlite(options)
    .connect(environment())
    .then(
      () => expect.fail("it connected"),
      (error) => error,
    );
}

describe.each(CLIENTS)("connecting through %s", (client) => {
  test("makes the file and its tables, in WAL mode, and leaves the application's user_version alone", async () => {
    const path = temporaryFile();
    const database = openClient(client, path);
    database.exec("CREATE TABLE mine (x); PRAGMA user_version = 42");
    await connect({ path, client });
    expect(database.prepare("PRAGMA user_version").all([])[0]?.user_version).toBe(42);
    expect(database.prepare("PRAGMA journal_mode").all([])[0]?.journal_mode).toBe("wal");
    const tables = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").all([]);
    const foreign = tables.map(({ name }) => String(name)).filter((name) => !name.startsWith("taskwright_"));
    expect(foreign).toEqual(["mine"]);
  });

  test("is safe for many that start at once", async () => {
    const path = temporaryFile();
    const connections = await Promise.all(Array.from({ length: 8 }, () => connect({ path, client })));
    await Promise.all(connections.map(({ broker }) => broker.publish([job()])));
    const [summary] = (await connections[0]?.inspector.queues()) ?? [];
    expect(summary?.counts.waiting).toBe(8);
  });

  test("names the directory that is missing", async () => {
    const directory = join(temporaryDirectory(), "nowhere");
    const error = await refusal({ path: join(directory, "jobs.db"), client });
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toBe(`the directory ${directory} does not exist: create it, or choose another path`);
  });

  test("says that a directory is not a file", async () => {
    const path = temporaryDirectory();
    expect((await refusal({ path, client })).message).toMatch(/ is a directory: /);
  });

  test("says that a file is not a database, and does not touch it", async () => {
    const path = temporaryFile();
    const content = "not a database, but a long text. ".repeat(100);
    writeFileSync(path, content);
    const error = await refusal({ path, client });
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toBe(`sqlite:${path}: the file is not a SQLite database: choose another path`);
    expect(readFileSync(path, "utf8")).toBe(content);
  });

  test("refuses the file of a newer taskwright", async () => {
    const path = temporaryFile();
    await (await connect({ path, client })).close();
    openClient(client, path).exec(`UPDATE taskwright_schema SET version = ${SCHEMA_VERSION + 1}`);
    const error = await refusal({ path, client });
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toMatch(/written by a newer taskwright \(schema 2, this one knows 1\): upgrade taskwright/);
  });

  test.skipIf(process.getuid?.() === 0)("says that a file is read-only (root can write to any)", async () => {
    const path = temporaryFile();
    await (await connect({ path, client })).close();
    chmodSync(path, 0o444);
    expect((await refusal({ path, client })).message).toMatch(
      /the file is read-only: make it and its directory writable/,
    );
  });

  test("takes a database that the user opened, and leaves it open", async () => {
    const path = temporaryFile();
    const database = openDatabase(client, path);
    const connection = await connect({ database });
    await connection.broker.publish([job()]);
    await connection.close();
    database.exec("CREATE TABLE still_open (x)");
    database.close();
    const again = await connect({ path, client });
    expect((await again.inspector.queues())[0]?.counts.waiting).toBe(1);
  });

  test("refuses a database in memory", async () => {
    const database = openDatabase(client, ":memory:");
    expect((await refusal({ database })).message).toMatch(/in memory: open it on a file, or use the memory driver/);
    database.close();
  });

  test("after close every call fails, pending claims have ended, and no timer is left", async () => {
    const clock = new FakeClock();
    const connection = await connect({ path: temporaryFile(), client }, clock);
    const consumer = await consume(connection);
    const pending = consumer.claim({ queues: ["default"], max: 1, wait: 60_000 });
    await connection.notifier.subscribe({ kind: "outcome", id: "x" }, () => {});
    await connection.close();
    await connection.close();
    expect(await pending).toEqual([]);
    expect(clock.pending).toBe(0);
    await expect(connection.broker.publish([job()])).rejects.toMatchObject({ code: "broker", retryable: false });
    await expect(connection.ping()).rejects.toThrow(/the connection is closed/);
  });
});

test("refuses a value that is no database", async () => {
  const error = await refusal({ database: {} as never });
  expect(error.message).toBe("database is not an open Database of better-sqlite3, node:sqlite or libsql");
});

test("a full disk is an error that says so, may pass, and wrote nothing", async () => {
  const [client = "libsql"] = CLIENTS;
  const path = temporaryFile();
  const database = openDatabase(client, path);
  const connection = await connect({ database });
  const [row] = openClient(client, path).prepare("PRAGMA page_count").all([]);
  database.exec(`PRAGMA max_page_count = ${Number(row?.page_count) + 4}`);
  const large = job({ body: Buffer.alloc(100_000) });
  const error = await connection.broker.publish([job(), large]).catch((thrown) => thrown);
  expect(error).toBeInstanceOf(BrokerError);
  expect(error).toMatchObject({ retryable: true, outcome: "none" });
  expect(error.message).toMatch(/the disk is full: free some space$/);
  database.exec("PRAGMA max_page_count = 100000");
  expect(await connection.inspector.queues()).toEqual([]);
  expect(await connection.broker.publish([large])).toEqual(["created"]);
  database.close();
});

test("a driver opens nothing before it connects", () => {
  const directory = temporaryDirectory();
  const path = join(directory, "jobs.db");
  expect(sqlite(path).location).toBe(`sqlite:${path}`);
  expect(existsSync(path)).toBe(false);
});
