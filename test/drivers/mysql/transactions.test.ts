import { type Connection, createPool } from "mysql2/promise";
import { ConfigError, Taskwright } from "taskwright";
import { mysql } from "taskwright/drivers/mysql";
import { describe, expect, onTestFinished, test } from "vitest";
import type { Settlement, SqlTransaction } from "../../../src/contracts/index.js";
import { connect, connection, consume, ENVIRONMENT, failure, job, NOW, place, prefixOf, serve } from "./support.js";

/** As a MariaDB is by itself since 11.6, and earlier ones where they are told. */
test("a job whose lease was extended since the user's transaction began is completed in it, with MariaDB's snapshots too", async ({
  skip,
}) => {
  const server = await serve();
  skip(!(await isMariaDb(await connection(server.place))), "MySQL has no innodb_snapshot_isolation");
  await server.ask("SET GLOBAL innodb_snapshot_isolation = ON");
  const { broker } = await connect(server.place);
  await broker.publish([job()]);
  const consumer = await consume({ broker });
  const [lease] = await consumer.claim(NOW);
  if (!lease) throw new Error("a job was published");
  const own = await connection(server.place);
  await own.beginTransaction();
  await own.query(`SELECT COUNT(*) FROM ${prefixOf(server.place)}jobs`);
  await consumer.extend([lease]);
  expect(await consumer.settle([{ kind: "complete", lease }], own)).toEqual(["settled"]);
  await own.commit();
});

async function isMariaDb(own: Connection): Promise<boolean> {
  const [rows] = await own.query("SELECT VERSION() AS version");
  return String((rows as { version: string }[])[0]?.version).includes("MariaDB");
}

describe.each(["mysql2 connection", "adapter's transaction"])(
  "in a transaction of the user's, given as a %s",
  (kind) => {
    async function begin() {
      const open = await place();
      const own = await connection(open.url);
      await own.beginTransaction();
      const adapter: SqlTransaction = {
        dialect: "mysql",
        async query(sql, parameters) {
          // As ORMs do: prepared, scalars only.
          for (const one of parameters)
            expect(one === null || typeof one !== "object" || one instanceof Uint8Array).toBe(true);
          const [rows] = await own.execute(sql, [...parameters] as (number | Buffer)[]);
          return Array.isArray(rows) ? (rows as Record<string, unknown>[]) : [];
        },
      };
      return { ...open, own, transaction: kind === "mysql2 connection" ? own : adapter };
    }

    test("jobs are there after the commit, and not before", async () => {
      const { broker, inspector, own, transaction } = await begin();
      const jobs = [
        job(),
        job({ notBefore: { in: 60_000 } }),
        job({ id: "invoice-7", unique: true, headers: { a: 1 } }),
      ];
      expect(await broker.publish(jobs, transaction)).toEqual(["created", "created", "created"]);
      expect(await inspector.queues()).toEqual([]);
      await own.commit();
      expect((await inspector.queues())[0]?.counts).toMatchObject({ waiting: 2, scheduled: 1 });
    });

    test("jobs are gone after a rollback, and their ids are free", async () => {
      const { broker, inspector, own, transaction } = await begin();
      const one = job({ id: "invoice-7", unique: true });
      await broker.publish([one], transaction);
      await own.rollback();
      expect(await inspector.queues()).toEqual([]);
      expect(await broker.publish([one])).toEqual(["created"]);
    });

    test("an id that somebody else has taken since the transaction began is a duplicate", async () => {
      const { broker, own, transaction, url } = await begin();
      // From here on it sees the tables as they are now.
      await own.query(`SELECT COUNT(*) FROM ${prefixOf(url)}jobs`);
      const [one, other] = [job({ id: "invoice-7", unique: true }), job()];
      await broker.publish([one]);
      expect(await broker.publish([job(), one, other], transaction)).toEqual(["created", "duplicate", "created"]);
      await own.commit();
      expect(await (await consume({ broker })).claim(NOW)).toHaveLength(3);
    });

    test("attempts end with the commit, outcomes and all, and not with a rollback", async () => {
      const { broker, backend, inspector, own, transaction } = await begin();
      await own.rollback();
      await broker.publish([job(), job(), job(), job()]);
      const consumer = await consume({ broker });
      const [a, b, c, d] = await consumer.claim(NOW);
      if (!a || !b || !c || !d) throw new Error("four jobs were published");
      const history = Buffer.from("h");
      const body = Buffer.from("42");
      const settlements: Settlement[] = [
        { kind: "complete", lease: a, outcome: { id: a.id, state: "completed", attempt: 1, body } },
        { kind: "dead", lease: b, reason: "failed", history },
        { kind: "retry", lease: c, delay: 60_000, history },
        { kind: "release", lease: d, delay: 0 },
        { kind: "complete", lease: { ...a, token: 1 } },
      ];
      const statuses = ["settled", "settled", "settled", "settled", "lost"];
      await own.beginTransaction();
      expect(await consumer.settle(settlements, transaction)).toEqual(statuses);
      await own.rollback();
      expect((await inspector.queues())[0]?.counts.active).toBe(4);
      await own.beginTransaction();
      expect(await consumer.settle(settlements, transaction)).toEqual(statuses);
      await own.commit();
      const counts = { scheduled: 0, waiting: 1, active: 0, retrying: 1, dead: 1 };
      expect((await inspector.queues())[0]?.counts).toEqual(counts);
      expect(String((await backend.read([a.id]))[0]?.body)).toBe("42");
    });

    test("an error leaves nothing of the batch, and the user's own work as it was", async () => {
      const { broker, inspector, own, transaction, url } = await begin();
      await own.query("CREATE TEMPORARY TABLE orders (id INT)");
      await own.query("INSERT INTO orders VALUES (7)");
      const taken = job();
      await broker.publish([taken]);
      // The jobs are inserted by then, and their places are not.
      await own.query(
        `CREATE TRIGGER ${prefixOf(url)}trap BEFORE INSERT ON ${prefixOf(url)}line FOR EACH ROW
       IF NEW.priority = 9 THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'trapped'; END IF`,
      );
      await own.beginTransaction();
      await own.query("INSERT INTO orders VALUES (8)");
      const error = await failure(broker.publish([job(), job({ priority: 9 }), job()], transaction));
      expect(String(error)).toMatch(/in your transaction.*trapped/);
      // What prepares every statement, as the adapter here, cannot make a savepoint on MySQL.
      const saved = transaction === own || (await isMariaDb(own));
      expect(error).toMatchObject({ code: "broker", outcome: saved ? "none" : "unknown" });
      if (!saved) return;
      await own.commit();
      expect((await inspector.queues())[0]?.counts.waiting).toBe(1);
      expect((await own.query(`SELECT COUNT(*) AS jobs FROM ${prefixOf(url)}jobs`))[0]).toEqual([{ jobs: 1 }]);
      expect((await own.query("SELECT COUNT(*) AS orders FROM orders"))[0]).toEqual([{ orders: 2 }]);
    });
  },
);

test.each([
  ["what was written may still be there", 1064, /may be in your transaction in part: roll it back/, "unknown"],
  ["the server has rolled back already", 1305, /trapped/, "none"],
])("a batch that fails and cannot be undone, as %s", async (_, errno, message, outcome) => {
  const { broker } = await place();
  const transaction: SqlTransaction = {
    dialect: "mysql",
    async query(sql) {
      if (sql.startsWith("ROLLBACK TO")) throw Object.assign(new Error("no"), { errno });
      if (sql.startsWith("SAVEPOINT")) return [];
      throw Object.assign(new Error("trapped"), { errno: 1644 });
    },
  };
  const error = await failure(broker.publish([job()], transaction));
  expect(error).toMatchObject({ code: "broker", outcome });
  expect(String(error)).toMatch(message);
});

test.each([
  ["what was written is still there", 1644, /may be in your transaction in part: roll it back/, "unknown"],
  ["the server has rolled back already", 1213, /a deadlock/, "none"],
])(
  "a batch that fails where MySQL prepares no SAVEPOINT, as an ORM asks of it: %s",
  async (_, errno, message, outcome) => {
    const { broker } = await place();
    const transaction: SqlTransaction = {
      dialect: "mysql",
      async query(sql) {
        const number = sql.startsWith("SAVEPOINT") ? 1295 : errno;
        throw Object.assign(new Error("trapped"), { errno: number });
      },
    };
    const error = await failure(broker.publish([job()], transaction));
    expect(error).toMatchObject({ code: "broker", outcome });
    expect(String(error)).toMatch(message);
  },
);

test("a client that is too old for MySQL is named by the error", async () => {
  const { broker } = await place();
  const transaction: SqlTransaction = {
    dialect: "mysql",
    async query() {
      throw Object.assign(new Error("Incorrect arguments to mysqld_stmt_execute"), { errno: 1210 });
    },
  };
  const error = await failure(broker.publish([job()], transaction));
  expect(error).toMatchObject({ code: "config" });
  expect(String(error)).toMatch(/mysql2 3\.24 or later/);
});

test.each([
  ["a word", "BEGIN"],
  ["an object", {}],
  ["a transaction of another database", { dialect: "postgres", query: async () => [] }],
])("%s is no transaction", async (_, transaction) => {
  const { broker, inspector } = await place();
  await expect(broker.publish([job()], transaction)).rejects.toThrow(ConfigError);
  expect(await inspector.queues()).toEqual([]);
});

test("a task is enqueued in a transaction of a pool's connection, and the worker wakes after the commit", async () => {
  const { url } = await place();
  await using app = new Taskwright({ broker: url });
  const add = app.task("add", (a: number, b: number) => a + b);
  await app.worker().start();
  const pool = createPool(url.split("?", 1)[0] ?? "");
  onTestFinished(() => pool.end());
  const tx = await pool.getConnection();
  await tx.beginTransaction();
  const enqueued = await add.with({ tx }).enqueue(2, 3);
  expect(await enqueued.state()).toBe("unknown");
  await tx.commit();
  tx.release();
  expect(await enqueued.result({ timeout: "10s" })).toBe(5);
});

test("a pool of the user's serves as it is, and is left open and as it was", async () => {
  const { url } = await place();
  const pool = createPool(url.split("?", 1)[0] ?? "");
  onTestFinished(() => pool.end());
  const opened = await mysql({ pool, tablePrefix: prefixOf(url) }).connect(ENVIRONMENT);
  const { broker } = opened;
  if (broker === undefined) throw new Error("the connection has no broker");
  await broker.publish([job(), job()]);
  const consumer = await consume({ broker });
  const jobs = await consumer.claim(NOW);
  expect(await consumer.settle(jobs.map((lease) => ({ kind: "complete", lease })))).toEqual(["settled", "settled"]);
  expect((await opened.ping()).warnings.join()).toContain("REPEATABLE-READ");
  await opened.close();
  // MariaDB calls it tx_isolation, and from 11.1 as MySQL does.
  const [rows] = await pool.query("SHOW VARIABLES WHERE Variable_name IN ('tx_isolation', 'transaction_isolation')");
  expect(rows).toMatchObject([{ Value: "REPEATABLE-READ" }]);
});
