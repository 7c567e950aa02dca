import { BrokerError, Taskwright } from "taskwright";
import { describe, expect, onTestFinished, test } from "vitest";
import { deferred } from "../../core/support.js";
import { until } from "../../support/until.js";
import { connect, connection, consume, failure, job, NOW, prefixOf, serve } from "./support.js";

function appAt(broker: string): Taskwright {
  const app = new Taskwright({ broker, logger: { debug() {}, info() {}, warn() {}, error() {} } });
  onTestFinished(() => app.close());
  return app;
}

/** Ends every connection to the test database but this one, as an operator does. */
async function killAll(server: Awaited<ReturnType<typeof serve>>): Promise<number> {
  // Not its table in information_schema: MySQL cannot read that while a statement holds bytes that are no text.
  const rows = (await server.ask("SHOW PROCESSLIST")).filter(({ db }) => db === "test");
  for (const { Id } of rows) await kill(server, Number(Id));
  return rows.length;
}

const NO_SUCH_THREAD = 1094;

/** One that has ended by itself meanwhile is as good. */
async function kill(server: Awaited<ReturnType<typeof serve>>, id: number): Promise<void> {
  await server.ask(`KILL CONNECTION ${id}`).catch((error: { readonly errno?: number }) => {
    if (error.errno !== NO_SUCH_THREAD) throw error;
  });
}

test("a server that is killed and comes back: what was acknowledged is there, and the worker goes on by itself", async () => {
  const server = await serve();
  const [producer, consumer] = [appAt(server.place), appAt(server.place)];
  const goOn = deferred();
  const started = deferred();
  onTestFinished(() => goOn.resolve());
  consumer.task("hold", async () => {
    started.resolve();
    await goOn.promise;
    return "held";
  });
  consumer.task("double", (n: number) => 2 * n);
  await consumer.worker({ concurrency: 2 }).start();
  const held = await producer.send("hold");
  await started.promise;
  const later = await producer.send("double", { args: [21], queue: "later" });
  await server.kill("SIGKILL");
  const refused = await failure(producer.send("double", { args: [1] }));
  expect(refused).toBeInstanceOf(BrokerError);
  expect(refused).toMatchObject({ retryable: true });
  await server.start();
  goOn.resolve();
  expect(await until("the result", () => held.result({ timeout: "10s" }))).toBe("held");
  const next = await until("an answer", () => producer.send("double", { args: [4] }));
  expect(await until("the result", () => next.result({ timeout: "10s" }))).toBe(8);
  await consumer.worker({ queues: ["later"] }).start();
  expect(await later.result({ timeout: "10s" })).toBe(42);
  expect(await producer.inspect.queues()).toEqual([]);
});

test("connections that are killed, again and again: nothing is lost, and nothing runs twice", async () => {
  const server = await serve();
  const app = appAt(server.place);
  const runs: number[] = [];
  const note = app.task("note", (n: number) => void runs.push(n));
  const worker = app.worker({ concurrency: 10, sweep: 100 });
  await worker.start();
  let killed = 0;
  for (let n = 0; n < 100; n++) {
    // A commit whose answer was lost is repeated safely, with the same id.
    const enqueue = () => note.with({ id: `job-${n}` }).enqueue(n);
    if (n % 10 === 5) killed += await killAll(server);
    await until("an acknowledgement", enqueue);
  }
  await until("all runs", async () => (runs.length >= 100 ? true : undefined));
  await until("empty queues", async () => ((await app.inspect.queues()).length === 0 ? true : undefined));
  await worker.stop();
  expect(killed).toBeGreaterThan(10);
  expect([...new Set(runs)].sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, n) => n));
  expect(runs.length - 100).toBeLessThanOrEqual(worker.stats.lost);
});

describe("locks of others", () => {
  test("on a job that settles: it waits, and then settles", async () => {
    const server = await serve();
    const { broker } = await connect(server.place);
    await broker.publish([job()]);
    const consumer = await consume({ broker });
    const [lease] = await consumer.claim(NOW);
    if (!lease) throw new Error("a job was published");
    const other = await connection(server.place);
    await other.beginTransaction();
    await other.query(`SELECT * FROM ${prefixOf(server.place)}leases FOR UPDATE`);
    const settling = consumer.settle([{ kind: "complete", lease }]);
    await until("a wait", async () => {
      const [row] = await server.ask("SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_current_waits'");
      return Number(row?.Value) > 0 || undefined;
    });
    await other.rollback();
    expect(await settling).toEqual(["settled"]);
  });

  test("in a circle: the server ends one of the two, and the driver begins anew", async () => {
    const server = await serve();
    const { broker } = await connect(server.place);
    await broker.publish([job(), job()]);
    const consumer = await consume({ broker });
    const leases = await consumer.claim(NOW);
    const prefix = prefixOf(server.place);
    const other = await connection(server.place);
    await other.beginTransaction();
    // Heavier than the driver's transaction, so the server ends that one.
    await other.query("CREATE TEMPORARY TABLE weight (n INT) ENGINE=InnoDB");
    await other.query(`INSERT INTO weight VALUES ${new Array(2000).fill("(1)").join(", ")}`);
    await other.query(`SELECT * FROM ${prefix}jobs FOR UPDATE`);
    const settling = consumer.settle(leases.map((lease) => ({ kind: "complete", lease })));
    await until("a wait", async () => {
      const [row] = await server.ask("SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_current_waits'");
      return Number(row?.Value) > 0 || undefined;
    });
    await other.query(`SELECT * FROM ${prefix}leases FOR UPDATE`);
    const [metric] = await server.ask(
      "SELECT count AS met FROM information_schema.INNODB_METRICS WHERE name = 'lock_deadlocks'",
    );
    expect(Number(metric?.met)).toBe(1);
    await other.rollback();
    expect(await settling).toEqual(["settled", "settled"]);
  });

  test("on jobs of others do not stop a claim", async () => {
    const server = await serve();
    const { broker } = await connect(server.place);
    const [first, second] = [job(), job()];
    await broker.publish([first]);
    await broker.publish([second]);
    const other = await connection(server.place);
    await other.beginTransaction();
    await other.query(
      `SELECT * FROM ${prefixOf(server.place)}line ORDER BY queue, place, slice, at, n, id LIMIT 1 FOR UPDATE`,
    );
    const claimed = await (await consume({ broker })).claim(NOW);
    expect(claimed.map(({ id }) => id)).toEqual([second.id]);
    await other.rollback();
  });
});

describe("a server that refuses", () => {
  test("because it is read-only: the error says so, and the worker goes on when it no longer is", async () => {
    const server = await serve();
    // Administrators may write all the same.
    await server.ask("CREATE USER worker@'%'");
    await server.ask("GRANT SELECT, INSERT, UPDATE, DELETE ON test.* TO worker@'%'");
    const app = appAt(server.place.replace("root@", "worker@"));
    const double = app.task("double", (n: number) => 2 * n);
    await app.worker().start();
    expect(await double.enqueue(1).result({ timeout: "10s" })).toBe(2);
    await server.ask("SET GLOBAL read_only = 1");
    const error = await failure(double.enqueue(2));
    expect(error).toMatchObject({ code: "broker", retryable: true, outcome: "none" });
    expect(String(error)).toContain("the server is read-only");
    await server.ask("SET GLOBAL read_only = 0");
    expect(await double.enqueue(21).result({ timeout: "10s" })).toBe(42);
  });

  test("because it has no connection left", async () => {
    const server = await serve({ arguments: ["--max-connections=10"] });
    const held = await Promise.all(Array.from({ length: 10 }, () => connection(server.place).catch(() => undefined)));
    // One more than the limit is kept for administrators, which root is.
    const error = await failure(connect(server.place).then(() => connect(server.place)));
    expect(error).toMatchObject({ code: "broker", retryable: true, outcome: "none" });
    expect(String(error)).toContain("raise max_connections");
    for (const one of held) one?.destroy();
  });

  test("because a packet is too large", async () => {
    const server = await serve({ arguments: ["--max-allowed-packet=1M"] });
    const { broker, inspector, ping } = await connect(server.place);
    expect((await ping()).warnings.join()).toContain("max_allowed_packet is 1048576");
    const error = await failure(broker.publish([job({ body: Buffer.alloc(2_000_000) })]));
    expect(error).toMatchObject({ code: "broker", retryable: false });
    expect(String(error)).toContain("max_allowed_packet");
    // Together they are too much for one packet, but none is by itself.
    const many = Array.from({ length: 40 }, () => job({ body: Buffer.alloc(100_000, 7) }));
    expect(new Set(await broker.publish(many))).toEqual(new Set(["created"]));
    expect((await inspector.queues())[0]?.counts.waiting).toBe(40);
  });

  test("because the password is wrong, or the database is not there: a ConfigError without the password", async () => {
    const server = await serve();
    const wrong = await failure(connect(server.place.replace("root@", "root:s3cret@")));
    expect(wrong).toMatchObject({ code: "config" });
    const absent = await failure(connect(server.place.replace("/test", "/nowhere")));
    expect(absent).toMatchObject({ code: "config" });
    expect(String(absent)).toContain("there is no such database");
    expect(`${wrong}`).not.toContain("s3cret");
  });
});

test("a pool without a free connection: the call ends within its deadline, and says that nothing happened", async () => {
  const server = await serve();
  const { broker } = await connect(`${server.place}&poolSize=1&timeout=300`);
  const other = await connection(server.place);
  await other.query(`LOCK TABLES ${prefixOf(server.place)}jobs WRITE`);
  const holding = failure(broker.publish([job()]));
  const error = await failure(broker.publish([job()]));
  expect(error).toMatchObject({ code: "broker", retryable: true, outcome: "none" });
  expect(String(error)).toContain("no connection was free within 300 ms");
  await holding;
  await other.query("UNLOCK TABLES");
  expect(await broker.publish([job()])).toEqual(["created"]);
});

test("a server that is held up: calls fail within their deadline, and go through when it goes on", async () => {
  const server = await serve();
  const { broker, inspector } = await connect(`${server.place}&timeout=300`);
  await broker.publish([job()]);
  await server.kill("SIGSTOP");
  const began = performance.now();
  const error = await failure(broker.publish([job()]));
  expect(performance.now() - began).toBeLessThan(2000);
  expect(error).toMatchObject({ code: "broker", retryable: true, outcome: "none" });
  await server.kill("SIGCONT");
  expect(await until("an answer", () => broker.publish([job()]))).toEqual(["created"]);
  expect((await inspector.queues())[0]?.counts.waiting).toBe(2);
});
