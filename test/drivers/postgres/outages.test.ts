import pg from "pg";
import { describe, expect, it, onTestFinished } from "vitest";
import { BrokerError, type TaskwrightError } from "../../../src/job/errors.js";
import { until } from "../../support/until.js";
import { claim, consumer, contracts, job, ownServer, place } from "./support.js";

describe("postgres that goes away", () => {
  it("is found again by a claim that waits, and by listeners, after a restart", async () => {
    const server = await ownServer();
    const c = await contracts(`${server.url}?timeout=2s`);
    const worker = await consumer(c);
    const before = job();
    await c.broker.publish([before]);
    const [held] = await claim(worker);
    let heard = 0;
    await c.notifier?.subscribe({ kind: "outcome", id: before.id }, () => heard++);
    const waiting = claim(worker, 1, 30_000).catch((error: unknown) => error);
    await server.kill("SIGKILL");
    await expect(c.broker.publish([job()])).rejects.toThrow(BrokerError);
    await expect(c.broker.publish([job()])).rejects.toThrow(
      /nobody listens there|terminated|within `timeout`|shutting down/,
    );
    // The processes of its former connections may still be on their way out, with its memory.
    await until("it starts again", () => server.start().then(() => true));
    const after = job();
    await until("the broker to take jobs", () => c.broker.publish([after]).then(() => true), 20_000);
    const first = await waiting;
    const jobs = Array.isArray(first) ? first : await claim(worker);
    const ids = jobs.map(({ id }) => id);
    await until("the listeners to hear", async () => heard > 0 || undefined);
    // A claim is not flushed at once, so a killed server may forget it: then its job comes again, and the lease is lost.
    const [status] = held ? await worker.extend([held]) : [];
    const expected = status === "held" ? [after.id] : [before.id, after.id];
    while (ids.length < expected.length) ids.push(...(await claim(worker)).map(({ id }) => id));
    expect(ids.sort()).toEqual(expected.sort());
  }, 60_000);

  it("ends calls with what is known of them when connections are terminated, and the next ones go through", async () => {
    const server = await ownServer();
    const c = await contracts(server.url);
    const worker = await consumer(c);
    await c.broker.publish([job()]);
    for (let round = 0; round < 5; round++) {
      await server.ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'taskwright'");
      const sent = job();
      await until("a publish", () => c.broker.publish([sent]).then(() => true), 10_000);
    }
    expect(await until("all jobs", () => claim(worker), 10_000)).toHaveLength(6);
  }, 60_000);

  it("is read-only: refused as something that may pass, naming the reason", async () => {
    const server = await ownServer();
    await server.ask("ALTER DATABASE postgres SET default_transaction_read_only = on");
    const c = await contracts(server.url);
    const error = await c.broker.publish([job()]).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(BrokerError);
    expect(error).toMatchObject({ retryable: true, outcome: "none" });
    expect(String(error)).toMatch(/read-only \(a replica\?\)/);
  });

  it("has no connection left, or the pool has none: within the timeout, and nothing has happened", async () => {
    const url = await place();
    const c = await contracts(`${url}&poolSize=1&timeout=300ms&listen=false`);
    const blocker = new pg.Client({ connectionString: url });
    await blocker.connect();
    onTestFinished(() => blocker.end());
    const schema = new URL(url).searchParams.get("schema");
    await blocker.query(`BEGIN; LOCK TABLE ${schema}.jobs`);
    const results = await Promise.allSettled([c.broker.publish([job()]), c.broker.publish([job()])]);
    const reasons = results.map((result) =>
      result.status === "rejected" ? (result.reason as TaskwrightError) : undefined,
    );
    expect(reasons.map((reason) => reason?.outcome).sort()).toEqual(["none", "unknown"]);
    expect(reasons.map(String).join()).toMatch(/no answer within `timeout`/);
    expect(reasons.map(String).join()).toMatch(/no connection was free/);
    await blocker.query("ROLLBACK");
    await until("a publish", () => c.broker.publish([job()]).then(() => true), 10_000);
  });

  it("runs into deadlocks of others, and tries again", async () => {
    const url = await place();
    const c = await contracts(url);
    const schema = new URL(url).searchParams.get("schema");
    const [a, b] = [job({ id: "a", unique: true }), job({ id: "b", unique: true })];
    const other = new pg.Client({ connectionString: url });
    await other.connect();
    onTestFinished(() => other.end());
    // The other waits longer before it looks for a deadlock, so ours is the one to be rolled back.
    await other.query("SET deadlock_timeout = '60s'; BEGIN");
    const theirs = await contracts(url);
    await theirs.broker.publish([b], other);
    const ours = c.broker.publish([a, b]);
    // On a connection of its own: within a transaction the view does not change.
    const watcher = new pg.Client({ connectionString: url });
    await watcher.connect();
    onTestFinished(() => watcher.end());
    const waits = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE $1";
    await until("ours to wait", async () => {
      const { rows } = await watcher.query(waits, [`%"${schema}".publish%`]);
      return rows.length > 0 || undefined;
    });
    const closing = theirs.broker.publish([a], other).then(() => other.query("COMMIT"));
    await closing;
    expect(await ours).toEqual(["duplicate", "duplicate"]);
  });
});
