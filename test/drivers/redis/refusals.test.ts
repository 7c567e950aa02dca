import { BrokerError, ConfigError, currentJob } from "taskwright";
import { describe, expect, onTestFinished, test } from "vitest";
import { checkPlaces } from "../../../src/cli/checks.js";
import { deferred, RecordingLogger } from "../../core/support.js";
import { until } from "../../support/until.js";
import { appAt, complete, connect, consume, failure, idle, job, keysOf, NOW, serve } from "./outage-support.js";

describe("connecting", () => {
  test("to a server that is down fails after the timeout, and works once it is up", async () => {
    const server = await serve({ password: "s3cret" });
    await server.stop();
    const app = appAt(`${server.url}?timeout=300`);
    const double = app.task("double", (n: number) => 2 * n);
    const began = performance.now();
    const error = await failure(app.connect());
    expect(performance.now() - began).toBeLessThan(2000);
    expect(error).toBeInstanceOf(BrokerError);
    expect(error).toMatchObject({ outcome: "none", retryable: true });
    expect(String(error)).toContain(`127.0.0.1:${server.port}`);
    expect(String(error)).toMatch(/nobody listens there: start the server.*ECONNREFUSED/);
    expect(String(error)).not.toContain("s3cret");
    expect(await failure(double.enqueue(1))).toMatchObject({ code: "broker", outcome: "none" });
    await server.start();
    expect((await double.enqueue(1)).duplicate).toBe(false);
  });

  test.each([
    ["another password", (url: string) => url.replace("right", "wrong")],
    ["no password", (url: string) => url.replace(":right@", "")],
    ["a database that is not there", (url: string) => `${url}/99`],
  ])("with %s fails at once, since waiting does not help", async (_, wrong) => {
    const server = await serve({ password: "right" });
    const began = performance.now();
    const error = await failure(connect(wrong(server.url)));
    expect(performance.now() - began).toBeLessThan(2000);
    expect(error).toBeInstanceOf(ConfigError);
    expect(String(error)).not.toMatch(/wrong@|right@/);
  });

  test("tells of an eviction policy that deletes jobs, and of jobs that are not kept on a disk", async () => {
    const bad = await serve({ config: ["maxmemory 100mb", "maxmemory-policy allkeys-lru"] });
    const logger = new RecordingLogger();
    const connection = await connect(bad.url, { logger });
    const warnings = [
      expect.stringMatching(/allkeys-lru.*will delete jobs when its memory is full.*noeviction/),
      expect.stringMatching(/appendonly is off.*CONFIG SET appendonly yes/),
    ];
    expect(logger.messages("warn")).toEqual(warnings);
    expect((await connection.ping()).warnings).toEqual(warnings);
    const good = await serve({ appendonly: "everysec" });
    const quiet = new RecordingLogger();
    expect((await (await connect(good.url, { logger: quiet })).ping()).warnings).toEqual([]);
    expect(quiet.messages("warn")).toEqual([]);
  });
});

test("doctor tells what the server's configuration puts at risk", async () => {
  const server = await serve({ config: ["maxmemory-policy volatile-ttl"] });
  const app = appAt(server.url);
  const checks = await checkPlaces({ app, files: [], settings: await app.settings() });
  expect(checks).toEqual([
    { name: "broker", status: "ok", detail: expect.stringMatching(/^Redis \d+\.\d+.*127\.0\.0\.1/) },
    { name: "broker", status: "warning", detail: expect.stringMatching(/volatile-ttl.*once `maxmemory` is set/) },
    { name: "broker", status: "warning", detail: expect.stringContaining("appendonly is off") },
  ]);
});

test("a server whose memory is full refuses new jobs, lets workers finish what is there, and takes jobs again", async () => {
  const server = await serve();
  const { broker, inspector } = await connect(server.url);
  const consumer = await consume(broker);
  const [one, two] = [job(), job()];
  await broker.publish([one, two]);
  await server.ask("CONFIG SET maxmemory 1mb");
  const error = await failure(broker.publish([job()]));
  expect(error).toBeInstanceOf(BrokerError);
  expect(error).toMatchObject({ outcome: "none", retryable: true });
  expect(String(error)).toMatch(/its memory is full: raise `maxmemory`/);
  const claimed = await consumer.claim(NOW);
  expect(claimed.map(({ id }) => id)).toEqual([one.id, two.id]);
  expect(await consumer.extend(claimed)).toEqual(["held", "held"]);
  const [first, second] = claimed;
  if (first === undefined || second === undefined) throw new Error("two were claimed");
  const history = Buffer.from("history");
  expect(
    await consumer.settle([complete(first, "value"), { kind: "retry", lease: second, delay: 0, history }]),
  ).toEqual(["settled", "settled"]);
  await server.ask("CONFIG SET maxmemory 0");
  expect(await broker.publish([job()])).toEqual(["created"]);
  expect((await inspector.queues())[0]?.counts.waiting).toBe(2);
});

test.each([
  ["READONLY", "yes"],
  ["MASTERDOWN", "no"],
])("a server that is a replica for a while refuses with %s, then all goes on", async (sign, servesStale) => {
  const server = await serve({ config: [`replica-serve-stale-data ${servesStale}`] });
  const app = appAt(`${server.url}?timeout=2s`);
  const double = app.task("double", (n: number) => 2 * n);
  await app.worker().start();
  await idle(server);
  // Of a primary that is not there, so that nothing replaces its data. It refuses the PING that `ask` ends with, too.
  await server.ask("REPLICAOF 127.0.0.1 1").catch(() => {});
  const error = await failure(double.enqueue(1));
  expect(error).toBeInstanceOf(BrokerError);
  expect(error).toMatchObject({ outcome: "none", retryable: true });
  expect(String(error)).toContain(sign);
  await server.ask("REPLICAOF NO ONE").catch(() => {});
  const sent = await until("the primary", () => double.with({ id: "after" }).enqueue(21));
  expect(await sent.result({ timeout: "10s" })).toBe(42);
});

describe("what is left behind", () => {
  test("nothing but names and counters, when all jobs are done and their results forgotten", async () => {
    const server = await serve();
    const app = appAt(server.url, { defaults: { attempts: 2, backoff: 1 } });
    const [started, goOn] = [deferred(), deferred()];
    onTestFinished(() => goOn.resolve());
    const tasks = [
      app.task("fine", () => "fine"),
      app.task("fails", () => Promise.reject(new Error("never"))),
      app.task("tells", async () => {
        const current = currentJob();
        await current.progress(0.5);
        await current.log("half way");
      }),
    ];
    const held = app.task("held", async () => {
      started.resolve();
      await goOn.promise;
    });
    const worker = app.worker();
    await worker.start();
    const jobs = await Promise.all(tasks.map((task) => task.enqueue()));
    const late = await held.with({ delay: "1h" }).enqueue();
    const active = await held.enqueue();
    await started.promise;
    await late.cancel();
    await active.cancel();
    goOn.resolve();
    await Promise.all([...jobs, active].map((one) => one.outcome({ timeout: "10s" })));
    await worker.stop();
    const timed = (await keysOf(server)).filter((key) => /:(outcome|report|log):/.test(key));
    expect(timed.length).toBeGreaterThan(4);
    for (const key of timed) expect(await server.ask(`PTTL ${key}`)).toMatch(/^:[1-9]/);
    const dead = await app.inspect.jobs({ queue: "default", state: "dead" });
    expect(dead.jobs).toHaveLength(1);
    await app.inspect.purge("default", ["dead"]);
    for (const { id } of [...jobs, active, late]) await app.job(id).forget();
    const bounded = ["due", "leases", "queues", "version"].map((name) => `{taskwright}:${name}`);
    for (const key of await keysOf(server)) expect(bounded).toContain(key);
  });
});
