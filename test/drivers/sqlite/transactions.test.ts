import { describe, expect, test } from "vitest";
import { ConfigError } from "../../../src/job/errors.js";
import { CLIENTS, type Contracts, connect, consume, FakeClock, job, openDatabase, temporaryFile } from "./support.js";

async function waiting({ inspector }: Contracts): Promise<number> {
  return (await inspector.queues()).reduce((sum, { counts }) => sum + (counts.waiting ?? 0), 0);
}

describe.each(CLIENTS)("publishing in the user's transaction, through %s", (client) => {
  async function open() {
    const path = temporaryFile();
    const connection = await connect({ path, client });
    const database = openDatabase(client, path);
    database.exec("CREATE TABLE orders (id INTEGER)");
    return { path, connection, database };
  }

  test("is written before publish returns, so that a synchronous transaction holds it", async () => {
    const { connection, database } = await open();
    database.exec("BEGIN; INSERT INTO orders VALUES (1)");
    const published = connection.broker.publish([job(), job({ notBefore: { in: 60_000 }, queue: "new" })], database);
    database.exec("COMMIT");
    expect(await published).toEqual(["created", "created"]);
    expect((await connection.inspector.queues()).map(({ queue }) => queue)).toEqual(["default", "new"]);
    database.close();
  });

  test("is undone by a rollback, and so is a queue that it made", async () => {
    const { connection, database } = await open();
    database.exec("BEGIN");
    await connection.broker.publish([job({ queue: "made-up" })], database);
    database.exec("ROLLBACK");
    expect(await connection.inspector.queues()).toEqual([]);
    expect(await connection.broker.publish([job({ queue: "made-up" })])).toEqual(["created"]);
    expect(await waiting(connection)).toBe(1);
    database.close();
  });

  test("sees ids that are taken, also within the transaction", async () => {
    const { connection, database } = await open();
    const invoice = job({ id: "invoice-7", unique: true });
    database.exec("BEGIN");
    expect(await connection.broker.publish([invoice, invoice], database)).toEqual(["created", "duplicate"]);
    expect(await connection.broker.publish([invoice], database)).toEqual(["duplicate"]);
    database.exec("COMMIT");
    expect(await connection.broker.publish([invoice])).toEqual(["duplicate"]);
    database.close();
  });

  test("is refused outside a transaction", async () => {
    const { connection, database } = await open();
    const error = await connection.broker.publish([job()], database).catch((thrown) => thrown);
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toMatch(/not inside one: use it between BEGIN and COMMIT/);
    expect(await waiting(connection)).toBe(0);
    database.close();
  });

  test("is refused on another file, and on what is no database", async () => {
    const { connection } = await open();
    for (const path of [temporaryFile(), ":memory:"]) {
      const other = openDatabase(client, path);
      other.exec("BEGIN");
      await expect(connection.broker.publish([job()], other)).rejects.toThrow(/must be one file/);
      other.close();
    }
    await expect(connection.broker.publish([job()], { query() {} })).rejects.toThrow(/the transaction is not an open/);
    await expect(connection.broker.publish([job()], null)).rejects.toThrow(ConfigError);
  });

  test("writes all of a batch or nothing", async () => {
    const { connection, database } = await open();
    database.exec("CREATE TRIGGER no_slow BEFORE INSERT ON taskwright_scheduled BEGIN SELECT raise(ABORT, 'no'); END");
    database.exec("BEGIN; INSERT INTO orders VALUES (1)");
    const batch = [job(), job({ notBefore: { in: 60_000 } })];
    await expect(connection.broker.publish(batch, database)).rejects.toThrow(/in your transaction\): no/);
    database.exec("COMMIT");
    expect(await connection.inspector.queues()).toEqual([]);
    const reader = openDatabase(client, (database.prepare("PRAGMA database_list").all()[0] as { file: string }).file);
    expect(reader.prepare("SELECT count(*) AS n FROM orders").all()).toMatchObject([{ n: 1 }]);
    reader.close();
    database.close();
  });

  test("wakes a waiting claim when it commits, on a connection of the user's and on one lent to the driver", async () => {
    const clock = new FakeClock();
    const path = temporaryFile();
    const database = openDatabase(client, path);
    const lent = await connect({ database }, clock);
    const own = await connect({ path, client }, clock);
    for (const connection of [lent, own]) {
      const consumer = await consume(connection);
      const claim = consumer.claim({ queues: ["default"], max: 1, wait: 60_000 });
      database.exec("BEGIN");
      await connection.broker.publish([job()], database);
      await clock.advance(100);
      database.exec("COMMIT");
      await clock.advance(100);
      expect(await claim).toHaveLength(1);
      await consumer.close();
    }
    await lent.close();
    database.close();
  });

  test("on a connection lent to the driver, other writes wait for its end", async () => {
    const clock = new FakeClock();
    const database = openDatabase(client, temporaryFile());
    const connection = await connect({ database }, clock);
    database.exec("BEGIN");
    const published = connection.broker.publish([job()]);
    await clock.advance(100);
    database.exec("ROLLBACK");
    await clock.advance(100);
    expect(await published).toEqual(["created"]);
    expect(await waiting(connection)).toBe(1);
    await connection.close();
    database.close();
  });
});

const [first, second] = CLIENTS;
test.skipIf(second === undefined)("is refused on another library's connection (needs two clients)", async () => {
  const path = temporaryFile();
  const connection = await connect({ path, client: first as "libsql" });
  const database = openDatabase(second as "libsql", path);
  database.exec("BEGIN");
  await expect(connection.broker.publish([job()], database)).rejects.toThrow(/Two copies of SQLite in one process/);
  database.close();
});
