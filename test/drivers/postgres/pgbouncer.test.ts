import pg from "pg";
import { currentJob, Taskwright } from "taskwright";
import { postgres } from "taskwright/drivers/postgres";
import { describe, expect, it, onTestFinished } from "vitest";
import { deferred, RecordingLogger } from "../../core/support.js";
import { startPgbouncer } from "../../support/postgres/pgbouncer.js";
import { type PostgresServer, startPostgres } from "../../support/postgres/server.js";
import { migrate } from "../../support/postgres/shared.js";

let server: Promise<PostgresServer> | undefined;
let schemas = 0;

/** A PgBouncer in front of the file's server, and an empty place behind it, migrated through it. */
async function bounced(mode?: "transaction" | "session") {
  server ??= startPostgres();
  const behind = await server;
  const bouncer = await startPgbouncer(behind, mode);
  onTestFinished(() => bouncer.remove());
  const schema = `bounced_${++schemas}`;
  await migrate(postgres(`${bouncer.url}?schema=${schema}&listen=false`));
  return { url: `${bouncer.url}?schema=${schema}`, plain: bouncer.url, schema, ask: behind.ask };
}

function appAt(broker: string, logger = new RecordingLogger()): Taskwright {
  const app = new Taskwright({ broker, logger });
  onTestFinished(() => app.close());
  return app;
}

/** A worker with one task that doubles, and one that waits until it is stopped. */
async function startWorker(app: Taskwright) {
  const started = deferred();
  app.task("double", (n: number) => 2 * n);
  app.task("hold", async () => {
    started.resolve();
    const { signal } = currentJob();
    await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true }));
  });
  await app.worker().start();
  return { started: started.promise };
}

describe.each([
  ["told not to listen", "&listen=false&pollInterval=50ms"],
  ["left to find out that it cannot listen", "&pollInterval=50ms"],
])("behind PgBouncer in transaction mode, %s", (_, options) => {
  it("enqueues, works, answers and stops jobs, with fewer sessions than connections", async () => {
    const { url } = await bounced();
    const [producer, consumer] = [appAt(`${url}${options}`), appAt(`${url}${options}`)];
    const { started } = await startWorker(consumer);
    // More calls at once than PgBouncer has sessions, so each meets several of them.
    const jobs = await Promise.all(Array.from({ length: 50 }, (_, n) => producer.send("double", { args: [n] })));
    const results = await Promise.all(jobs.map((job) => job.result({ timeout: "10s" })));
    expect(results).toEqual(Array.from({ length: 50 }, (_, n) => 2 * n));
    const held = await producer.send("hold");
    await started;
    expect(await held.cancel()).toBe("requested");
    await expect(held.result({ timeout: "10s" })).rejects.toMatchObject({ code: "cancelled" });
    expect(await producer.inspect.queues()).toEqual([]);
  });

  it("enqueues in a transaction of the user's, through PgBouncer too", async () => {
    const { url, plain } = await bounced();
    const app = appAt(`${url}${options}`);
    await startWorker(app);
    const client = new pg.Client({ connectionString: plain });
    await client.connect();
    onTestFinished(() => client.end());
    const double = app.remoteTask<[number], number>("double");
    await client.query("BEGIN");
    const gone = await double.with({ tx: client }).enqueue(1);
    await client.query("ROLLBACK");
    await client.query("BEGIN");
    const there = await double.with({ tx: client }).enqueue(21);
    expect(await there.state()).toBe("unknown");
    await client.query("COMMIT");
    expect(await there.result({ timeout: "10s" })).toBe(42);
    expect(await gone.state()).toBe("unknown");
  });
});

/** What was warned of that has to do with listening. */
function warnings(logger: RecordingLogger): string[] {
  return logger.messages("warn").filter((message) => message.includes("LISTEN"));
}

it("a process that finds out that nothing comes through LISTEN says once what to set", async () => {
  const { url } = await bounced();
  const logger = new RecordingLogger();
  const app = appAt(`${url}&pollInterval=50ms`, logger);
  await startWorker(app);
  expect(await (await app.send("double", { args: [4] })).result({ timeout: "10s" })).toBe(8);
  expect(warnings(logger)).toEqual([expect.stringMatching(/PgBouncer in transaction mode\?.*listen=false/)]);
});

it("PgBouncer in session mode passes on what is told, so nothing is looked for", async () => {
  const { url } = await bounced("session");
  const logger = new RecordingLogger();
  // Longer than the test may take.
  const [producer, consumer] = [appAt(`${url}&pollInterval=60s`, logger), appAt(`${url}&pollInterval=60s`, logger)];
  await startWorker(consumer);
  const job = await producer.send("double", { args: [4] });
  expect(await job.result({ timeout: "4s" })).toBe(8);
  expect(warnings(logger)).toEqual([]);
});
