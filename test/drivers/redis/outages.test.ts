import { BrokerError, currentJob } from "taskwright";
import { describe, expect, onTestFinished, test } from "vitest";
import { systemClock } from "../../../src/clock.js";
import type { ClaimedJob, Clock, OutcomeRecord } from "../../../src/contracts/index.js";
import { claim } from "../../../src/drivers/redis/scripts/claim.js";
import { publish } from "../../../src/drivers/redis/scripts/publish.js";
import { settle } from "../../../src/drivers/redis/scripts/settle.js";
import { deferred } from "../../core/support.js";
import { Relay } from "../../support/relay.js";
import { until } from "../../support/until.js";
import { appAt, complete, connect, consume, failure, idle, job, NOW, serve } from "./outage-support.js";

describe("a connection that is cut", () => {
  test("after a publish that the server took: the outcome is unknown, and the same id makes the retry safe", async () => {
    const server = await serve();
    const relay = await Relay.before(server.url);
    const { broker, inspector } = await connect(relay.url);
    await broker.publish([job()]);
    const lost = relay.loseAnswerTo(publish.digest);
    const once = job({ id: "order-1", unique: true });
    const error = await failure(broker.publish([once]));
    await lost;
    expect(error).toBeInstanceOf(BrokerError);
    expect(error).toMatchObject({ outcome: "unknown", retryable: true });
    expect(await broker.publish([once])).toEqual(["duplicate"]);
    expect((await inspector.queues())[0]?.counts.waiting).toBe(2);
  });

  test("after a claim that the server granted: the jobs are had again at once, and nothing counts as lost", async () => {
    const server = await serve();
    const relay = await Relay.before(server.url);
    const { broker } = await connect(relay.url);
    const consumer = await consume(broker);
    expect(await consumer.claim(NOW)).toEqual([]);
    const [one, two] = [job(), job({ priority: 3 })];
    await broker.publish([one, two]);
    const lost = relay.loseAnswerTo(claim.whenFull.digest);
    expect(await failure(consumer.claim(NOW))).toMatchObject({ code: "broker", outcome: "unknown" });
    await lost;
    expect(await server.ask("HLEN {taskwright}:held:default")).toBe(":2\r\n");
    const claimed = await consumer.claim({ ...NOW, wait: 5000 });
    expect(claimed.map(({ id }) => id).sort()).toEqual([one.id, two.id].sort());
    for (const { attempt, losses } of claimed) expect({ attempt, losses }).toEqual({ attempt: 1, losses: 0 });
    const settled = await consumer.settle(claimed.map((lease) => complete(lease)));
    expect(settled).toEqual(["settled", "settled"]);
    expect(await consumer.claim(NOW)).toEqual([]);
  });

  test("or brings nothing any more: it is noticed, and everything is subscribed to again", async () => {
    const server = await serve();
    const relay = await Relay.before(server.url, /\bsubscribe\b/i);
    // The ten seconds between two signs of life are one here.
    const sooner = (ms: number) => (ms === 10_000 ? 1000 : ms);
    const clock: Clock = { ...systemClock, schedule: (done, ms, keep) => systemClock.schedule(done, sooner(ms), keep) };
    const { notifier, backend } = await connect(`${relay.url}?timeout=2s`, { clock });
    const heard: (OutcomeRecord | undefined)[] = [];
    await notifier.subscribe({ kind: "outcome", id: "deaf" }, (outcome) => heard.push(outcome));
    relay.muteListeners();
    await until("word that something may have been missed", async () => heard.length > 0 || undefined);
    expect(heard).toEqual([undefined]);
    await backend.store([{ id: "deaf", state: "completed", attempt: 1, body: Buffer.from("7"), ttl: 60_000 }]);
    await until("the outcome", async () => heard.length > 1 || undefined);
    expect(heard[1]).toMatchObject({ id: "deaf", state: "completed" });
  });

  test("after a settle that the server took: the worker asks again and the result is there, once", async () => {
    const server = await serve();
    const relay = await Relay.before(server.url);
    const app = appAt(relay.url);
    let runs = 0;
    const count = app.task("count", () => ++runs);
    const worker = app.worker();
    await worker.start();
    expect(await count.enqueue().result({ timeout: "5s" })).toBe(1);
    await idle(server);
    const lost = relay.loseAnswerTo(settle.whenFull.digest);
    expect(await count.enqueue().result({ timeout: "5s" })).toBe(2);
    await lost;
    await worker.stop();
    expect(runs).toBe(2);
    expect(await app.inspect.queues()).toEqual([]);
  });

  test.each(["normal", "pubsub"])(
    "CLIENT KILL TYPE %s, while jobs and results are waited for: both arrive",
    async (type) => {
      const server = await serve();
      const [producer, consumer] = [appAt(server.url), appAt(server.url)];
      const goOn = deferred();
      onTestFinished(() => goOn.resolve());
      const double = (n: number) => 2 * n;
      const [fast, slow] = [producer.task("double", double), producer.task("slow", () => "never here")];
      consumer.task("double", double);
      consumer.task("slow", () => goOn.promise.then(() => "slow"));
      const worker = consumer.worker({ concurrency: 2 });
      await worker.start();
      const waiting = (await slow.enqueue()).result({ timeout: "4s" });
      expect(await fast.enqueue(1).result({ timeout: "4s" })).toBe(2);
      await idle(server);
      await server.ask(`CLIENT KILL TYPE ${type} SKIPME yes`);
      // The one sent before the cut is noticed fails, and says that it may have come through.
      const after = await until("an answer", () => fast.with({ id: "after" }).enqueue(21));
      expect(await after.result({ timeout: "4s" })).toBe(42);
      goOn.resolve();
      expect(await waiting).toBe("slow");
    },
  );
});

describe("a server that restarts", () => {
  test("with appendonly: workers idle and busy go on by themselves, and no job or result is missed", async () => {
    const server = await serve({ appendonly: "always" });
    const [producer, idler, busy] = [appAt(server.url), appAt(server.url), appAt(server.url)];
    const [started, goOn] = [deferred(), deferred()];
    onTestFinished(() => goOn.resolve());
    const runs: number[] = [];
    idler.task("note", { queue: "notes" }, (n: number) => void runs.push(n));
    busy.task("hold", { queue: "holds" }, async () => {
      started.resolve();
      await goOn.promise;
      return "held";
    });
    await idler.worker({ queues: ["notes"] }).start();
    await busy.worker({ queues: ["holds"] }).start();
    const held = await producer.send("hold", { queue: "holds" });
    const waiting = held.result({ timeout: "10s" });
    await started.promise;
    const early = await producer.send("note", { queue: "later", args: [0] });
    await idle(server, 1, "notes");
    await server.restart();
    const note = producer.task("note", { queue: "notes" }, (_: number) => {});
    const job = await note.enqueue(1);
    await job.result({ timeout: "10s" });
    goOn.resolve();
    expect(await waiting).toBe("held");
    // What waited through the restart, in a queue that nobody served.
    await idler.worker({ queues: ["later"] }).start();
    await early.result({ timeout: "10s" });
    expect(runs.sort()).toEqual([0, 1]);
    expect(await producer.inspect.queues()).toEqual([]);
  });

  test("and loads its data for a while: calls meanwhile are answered when it has, and workers go on by themselves", async () => {
    // 20 ms for each key, one for each result, and a word to those who ask after each KiB.
    const slow = ["save 3600 1", "key-load-delay 20000", "loading-process-events-interval-bytes 1024"];
    const server = await serve({ config: slow });
    const [producer, consumer] = [appAt(server.url), appAt(server.url)];
    const note = producer.task("note", (n: number) => n);
    consumer.task("note", (n: number) => n);
    for (let n = 0; n < 50; n++) await note.with({ queue: "later" }).enqueue(n);
    await consumer.worker({ queues: ["default", "later"] }).start();
    await until("all of them run", async () => (await producer.inspect.queues()).length === 0 || undefined);
    const restarted = server.restart();
    await until("it loads", async () => {
      const refusal = await server.ask("PING").catch(String);
      return refusal.includes("LOADING") || undefined;
    });
    expect(await note.enqueue(50).result({ timeout: "10s" })).toBe(50);
    await restarted;
  });

  test("without persistence: an idle worker goes on with what comes next, and the scripts are sent again", async () => {
    const server = await serve();
    const app = appAt(server.url);
    const double = app.task("double", (n: number) => 2 * n);
    await app.worker().start();
    expect(await double.enqueue(1).result({ timeout: "10s" })).toBe(2);
    await idle(server);
    await server.restart();
    expect(await double.enqueue(21).result({ timeout: "10s" })).toBe(42);
  });

  test("while an outcome is waited for: who waits is told to look again", async () => {
    const server = await serve({ appendonly: "always" });
    const { broker, backend, notifier } = await connect(server.url);
    const consumer = await consume(broker);
    const it = job();
    await broker.publish([it]);
    const [lease] = await consumer.claim(NOW);
    const told = deferred<unknown>();
    await notifier.subscribe({ kind: "outcome", id: it.id }, told.resolve);
    await server.restart();
    // Whether it was missed or not is not known, so it is told that something may have been.
    expect(await told.promise).toBeUndefined();
    expect(await consumer.settle([complete(lease as ClaimedJob, "value")])).toEqual(["settled"]);
    expect(String((await backend.read([it.id]))[0]?.body)).toBe("value");
  });
});

test("SCRIPT FLUSH in the midst of work: every script is sent again, and each job runs once", async () => {
  const server = await serve();
  const app = appAt(server.url);
  let flushes = 0;
  const double = app.task("double", async (n: number) => {
    if (n % 20 === 0) await server.ask("SCRIPT FLUSH").then(() => flushes++);
    return 2 * n;
  });
  const worker = app.worker({ concurrency: 10 });
  await worker.start();
  const numbers = Array.from({ length: 200 }, (_, n) => n);
  const results = await Promise.all(numbers.map((n) => double.enqueue(n).result({ timeout: "10s" })));
  expect(results).toEqual(numbers.map((n) => 2 * n));
  await worker.stop();
  expect(flushes).toBe(10);
  expect(worker.stats).toMatchObject({ completed: 200, lost: 0 });
  expect(await app.inspect.queues()).toEqual([]);
});

describe("a server that is held up for longer than the leases", () => {
  test("calls fail within their deadline, and say whether they had been sent", async () => {
    const server = await serve();
    const { broker } = await connect(`${server.url}?timeout=300`);
    const consumer = await consume(broker, 200);
    const once = job({ id: "once", unique: true });
    await broker.publish([job()]);
    await server.kill("SIGSTOP");
    const began = performance.now();
    const sent = await failure(broker.publish([once]));
    expect(performance.now() - began).toBeLessThan(2000);
    expect(sent).toMatchObject({ code: "broker", outcome: "unknown", retryable: true });
    expect(String(sent)).toContain("no answer within 300 ms");
    // Sent on the same connection or, once that is given up, not at all.
    expect(await failure(consumer.claim(NOW))).toMatchObject({ code: "broker", retryable: true });
    const unconnected = await failure(connect(`${server.url}?timeout=300`));
    expect(unconnected).toMatchObject({ code: "broker", outcome: "none", retryable: true });
    await server.kill("SIGCONT");
    expect(await broker.publish([once])).toEqual(["duplicate"]);
    const claimed = await consumer.claim({ ...NOW, wait: 5000 });
    const rest = await consumer.claim(NOW);
    expect([...claimed, ...rest].map(({ attempt, losses }) => [attempt, losses])).toEqual([
      [1, 0],
      [1, 0],
    ]);
  });

  test("jobs that run meanwhile are settled or fenced, and none is lost", async () => {
    const server = await serve();
    const url = `${server.url}?timeout=300`;
    const [producer, one, two] = [appAt(url), appAt(url), appAt(url)];
    const goOn = deferred();
    onTestFinished(() => goOn.resolve());
    const runs = new Map<string, number>();
    let running = 0;
    const all = deferred();
    const workers = [one, two].map((app) => {
      app.task("hold", async () => {
        const { id } = currentJob();
        runs.set(id, (runs.get(id) ?? 0) + 1);
        if (++running === 6) all.resolve();
        await goOn.promise;
        return id;
      });
      return app.worker({ concurrency: 3, lease: 500, heartbeat: 150, sweep: 100 });
    });
    for (const worker of workers) await worker.start();
    const jobs = await Promise.all(Array.from({ length: 6 }, () => producer.send("hold", { attempts: 5 })));
    await all.promise;
    // Failing calls tell that time passes: the hold lasts for several deadlines, so for longer than the leases.
    const failures = new Promise<void>((resolve) => {
      let count = 0;
      for (const worker of workers) worker.on("worker:error", () => ++count === 8 && resolve());
    });
    const held = performance.now();
    await server.kill("SIGSTOP");
    await failures;
    goOn.resolve();
    expect(performance.now() - held).toBeGreaterThan(500);
    await server.kill("SIGCONT");
    const results = await Promise.all(jobs.map((job) => until("a result", () => job.result({ timeout: "10s" }))));
    expect(results).toEqual(jobs.map(({ id }) => id));
    for (const worker of workers) await worker.stop();
    expect([...runs.keys()].sort()).toEqual(jobs.map(({ id }) => id).sort());
    expect(await producer.inspect.queues()).toEqual([]);
  });
});
