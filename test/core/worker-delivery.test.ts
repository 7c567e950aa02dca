import { BrokerError, currentJob, ShutdownError, Taskwright, UnsupportedError } from "taskwright";
import { memory } from "taskwright/drivers/memory";
import { FakeClock } from "taskwright/testing";
import { describe, expect, test } from "vitest";
import {
  aborted,
  deferred,
  memoryApp,
  nextEvent,
  RecordingLogger,
  recordEvents,
  seededRandom,
  tapped,
} from "./support.js";

const SILENT = { debug() {}, info() {}, warn() {}, error() {} };

describe("at-most-once", () => {
  test("the job has left its queue before it runs, and its result is kept", async () => {
    await using app = memoryApp();
    const t = app.task("t", { delivery: "at-most-once" }, async () => {
      return (await app.inspect.find(currentJob().id)) === undefined;
    });
    const job = await t.enqueue();
    expect(await app.drain()).toMatchObject({ completed: 1 });
    expect(await job.result()).toBe(true);
  });

  test("at-least-once jobs are in it until they have run; a call decides over its task", async () => {
    await using app = memoryApp({ defaults: { delivery: "at-most-once" } });
    const seen = async () => (await app.inspect.find(currentJob().id))?.state;
    const [bare, own] = [app.task("bare", seen), app.task("own", { delivery: "at-least-once" }, seen)];
    const jobs = [
      await bare.enqueue(),
      await own.enqueue(),
      await own.with({ delivery: "at-most-once" }).enqueue(),
      await bare.with({ delivery: "at-least-once" }).enqueue(),
    ];
    await app.drain();
    expect(await Promise.all(jobs.map((job) => job.result()))).toEqual([undefined, "active", undefined, "active"]);
  });

  test("a failing job runs once, whatever its attempts, and its error is kept", async () => {
    await using app = memoryApp();
    let runs = 0;
    const t = app.task("t", { delivery: "at-most-once", attempts: 5, backoff: 0 }, () => {
      runs += 1;
      throw new Error("no");
    });
    const job = await t.enqueue();
    expect(await app.drain()).toMatchObject({ dead: 1, retried: 0 });
    expect(runs).toBe(1);
    await expect(job.result()).rejects.toThrow("no");
  });

  test("a job that cannot be settled first does not run", async () => {
    const driver = tapped(memory(), (call, next) => {
      if (call.method === "settle") throw new UnsupportedError("no settling today");
      return next();
    });
    await using app = new Taskwright({ broker: driver, logger: SILENT });
    let runs = 0;
    const t = app.task("t", { delivery: "at-most-once" }, () => void runs++);
    const job = await t.enqueue();
    await using worker = app.worker();
    const lost = nextEvent(worker, "job:lost");
    await worker.start();
    expect((await lost).id).toBe(job.id);
    await worker.stop();
    expect([runs, worker.stats.lost, worker.stats.active]).toEqual([0, 1, 0]);
    expect(await job.state()).toBe("active");
  });

  test("the timeout counts from the run, not from the settlement before it", async () => {
    const clock = new FakeClock();
    const held = deferred();
    const driver = tapped(memory(), async (call, next) => {
      if (call.method === "settle") await held.promise;
      return next();
    });
    await using app = new Taskwright({ broker: driver, clock });
    const t = app.task("t", { delivery: "at-most-once", timeout: "1s" }, () => aborted(currentJob().signal));
    const job = await t.enqueue();
    await using worker = app.worker();
    const ended = recordEvents(worker, "job:dead");
    await worker.start();
    await clock.advance("1m");
    expect(ended).toEqual([]);
    held.resolve();
    await clock.advance("1s");
    expect(ended).toMatchObject([{ event: { id: job.id, duration: 1000 } }]);
  });

  test("a job that is given up while it is being settled does not run", async () => {
    const held = deferred();
    const driver = tapped(memory(), async (call, next) => {
      if (call.method === "settle") await held.promise;
      return next();
    });
    await using app = new Taskwright({ broker: driver, logger: SILENT });
    let runs = 0;
    const job = await app.task("t", { delivery: "at-most-once" }, () => void runs++).enqueue();
    const worker = app.worker();
    await worker.start();
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    expect(worker.stats.active).toBe(1);
    const stopping = worker.stop({ grace: 0 });
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    held.resolve();
    await stopping;
    expect([runs, worker.stats.active]).toEqual([0, 0]);
    await expect(job.result()).rejects.toThrow(ShutdownError);
  });
});

describe("ack, with a backend of its own", () => {
  /** An app whose settlements and stored outcomes are noted in their order, and whose backend fails as `trouble` says. */
  function separate(ack: "saved" | "executed", trouble: () => Error | undefined = () => undefined) {
    const calls: string[] = [];
    const clock = new FakeClock();
    const broker = tapped(memory(), (call, next) => {
      if (call.method === "settle") calls.push("settle");
      return next();
    });
    const backend = tapped(memory(), async (call, next) => {
      if (call.method !== "store") return next();
      const error = trouble();
      calls.push(error === undefined ? "store" : "store fails");
      if (error !== undefined) throw error;
      return next();
    });
    const logger = new RecordingLogger();
    const app = new Taskwright({ broker, backend, clock, logger, worker: { ack }, random: seededRandom(3) });
    return { app, calls, clock, logger };
  }

  test.each([
    ["saved", ["store", "settle"]],
    ["executed", ["settle", "store"]],
  ] as const)("%s: %o", async (ack, expected) => {
    const { app, calls } = separate(ack);
    await using _app = app;
    const job = await app.task("add", (a: number, b: number) => a + b).enqueue(1, 2);
    await app.drain();
    expect(await job.result()).toBe(3);
    expect(calls).toEqual(expected);
  });

  test.each(["saved", "executed"] as const)("%s: a backend that is away for a while loses no result", async (ack) => {
    let down = true;
    const { app, calls, clock } = separate(ack, () => (down ? new BrokerError("away") : undefined));
    await using _app = app;
    let runs = 0;
    const t = app.task("t", () => `run ${++runs}`);
    await using worker = app.worker({ lease: "30s" });
    const events = recordEvents(worker, "job:completed", "job:lost", "worker:error");
    await worker.start();
    const job = await t.enqueue();
    await clock.advance("10s");
    expect(await job.state()).toBe(ack === "saved" ? "active" : "unknown");
    down = false;
    await clock.advance("10s");
    expect(await job.result({ timeout: "1s" })).toBe("run 1");
    expect(runs).toBe(1);
    expect(calls.filter((call) => call === "settle")).toHaveLength(1);
    expect(events.filter(({ name }) => name !== "worker:error").map(({ name }) => name)).toEqual(["job:completed"]);
  });

  test("saved: a job whose result cannot be kept at all is not let go, but run again once its lease has passed", async () => {
    let refused = 0;
    const { app, clock, logger } = separate("saved", () =>
      refused++ === 0 ? new UnsupportedError("too large") : undefined,
    );
    await using _app = app;
    const t = app.task("t", () => currentJob().attempt);
    await using worker = app.worker({ lease: "30s" });
    await worker.start();
    const job = await t.enqueue();
    await clock.advance("2m");
    expect(logger.messages("error")).toContain("a job could not be settled; its lease will pass");
    expect(await job.result({ timeout: "1s" })).toBe(2);
  });

  test("a job without a result stores none", async () => {
    const { app, calls } = separate("saved");
    await using _app = app;
    await app.task("t", { result: { keep: false } }, () => 1).enqueue();
    await app.drain();
    expect(calls).toEqual(["settle"]);
  });

  test("cancelling a waiting job stores its outcome there", async () => {
    const { app } = separate("saved");
    await using _app = app;
    const job = await app.task("t", () => 1).enqueue();
    await job.cancel();
    expect(await job.state()).toBe("cancelled");
  });
});

describe("a broker that goes away", () => {
  test("running jobs go on, the worker resumes without a restart, and nothing is lost or run twice", async () => {
    const clock = new FakeClock();
    let down = false;
    const driver = tapped(memory(), (call, next) => {
      if (down) throw new BrokerError(`${call.method}: connection refused`, { outcome: "unknown" });
      return next();
    });
    await using app = new Taskwright({ broker: driver, clock, logger: SILENT });
    const goOn = deferred();
    const ran: number[] = [];
    const t = app.task("t", async (n: number) => {
      await goOn.promise;
      ran.push(n);
      return n;
    });
    const jobs = await t.enqueueMany(Array.from({ length: 20 }, (_, n) => [n]));
    await using worker = app.worker({ concurrency: 5, lease: "1m" });
    const errors = recordEvents(worker, "worker:error");
    await worker.start();
    await clock.advance("1s");
    expect(worker.stats.active).toBe(5);
    down = true;
    goOn.resolve();
    await clock.advance("20s");
    expect(ran).toHaveLength(5);
    expect(errors.length).toBeGreaterThan(3);
    await expect(t.enqueue(99)).rejects.toThrow(BrokerError);
    down = false;
    await clock.advance("30s");
    expect(await Promise.all(jobs.map((job) => job.result()))).toEqual(Array.from({ length: 20 }, (_, n) => n));
    expect(ran.sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, n) => n));
    expect(worker.stats).toMatchObject({ completed: 20, retried: 0, lost: 0 });
  });

  test("the pauses between tries grow, and each error is told with the next one", async () => {
    const clock = new FakeClock();
    let down = false;
    const driver = tapped(memory(), (call, next) => {
      if (down && call.method === "claim") throw new BrokerError("away");
      return next();
    });
    await using app = new Taskwright({ broker: driver, clock });
    const delays: number[] = [];
    await using worker = app.worker();
    worker.on("worker:error", ({ delay }) => delays.push(delay));
    await worker.start();
    down = true;
    await clock.advance("40s");
    expect(delays.slice(0, 7)).toEqual([100, 200, 400, 800, 1600, 3200, 5000]);
    expect(new Set(delays.slice(6))).toEqual(new Set([5000]));
    down = false;
    await clock.advance("20s");
    delays.length = 0;
    down = true;
    await clock.advance("20s");
    expect(delays.slice(0, 3)).toEqual([100, 200, 400]);
  });

  test("an outage longer than the leases: the jobs run again, and each ends once", async () => {
    const clock = new FakeClock();
    let down = false;
    const driver = tapped(memory(), (call, next) => {
      if (down && call.contract !== "backend") throw new BrokerError("away");
      return next();
    });
    await using app = new Taskwright({ broker: driver, clock, logger: SILENT });
    const goOn = deferred();
    let runs = 0;
    const t = app.task("t", { attempts: 5 }, async () => {
      runs += 1;
      await goOn.promise;
      return "done";
    });
    const job = await t.enqueue();
    await using worker = app.worker({ lease: "30s" });
    await worker.start();
    await clock.advance("1s");
    down = true;
    goOn.resolve();
    await clock.advance("5m");
    down = false;
    await clock.advance("5m");
    expect(await job.result({ timeout: "1s" })).toBe("done");
    expect(runs).toBe(2);
    expect(worker.stats).toMatchObject({ completed: 1 });
  });
});

describe("the registry of workers", () => {
  test("tells who lives, what they can do and what runs in them", async () => {
    const clock = new FakeClock(new Date("2027-01-01T00:00:00Z"));
    const broker = memory();
    await using app = new Taskwright({ broker, clock });
    await using observer = new Taskwright({ broker, clock });
    const goOn = deferred();
    app.task("idle", () => 1);
    const work = app.task("work", () => goOn.promise);
    await using worker = app.worker({ queues: ["a", "default"], concurrency: 7 });
    await worker.start();
    const [fresh] = await observer.inspect.workers();
    expect(fresh).toMatchObject({
      id: worker.id,
      pid: process.pid,
      startedAt: Date.parse("2027-01-01T00:00:00Z"),
      seenAt: Date.parse("2027-01-01T00:00:00Z"),
      queues: ["a", "default"],
      concurrency: 7,
      tasks: ["idle", "work"],
      running: 0,
      active: [],
    });
    const job = await work.enqueue();
    await clock.advance("10s");
    const [busy] = await observer.inspect.workers();
    expect(busy).toMatchObject({
      seenAt: Date.parse("2027-01-01T00:00:10Z"),
      running: 1,
      active: [{ id: job.id, task: "work", attempt: 1, startedAt: Date.parse("2027-01-01T00:00:00Z") }],
    });
    goOn.resolve();
    await worker.stop();
    expect(await observer.inspect.workers()).toEqual([]);
  });

  test("a worker that gives no sign of life is forgotten", async () => {
    const clock = new FakeClock();
    let silent = false;
    const place = memory();
    const driver = tapped(place, (call, next) => {
      if (silent && call.contract === "coordinator" && call.method === "put") throw new BrokerError("cut off");
      return next();
    });
    await using app = new Taskwright({ broker: driver, clock, logger: SILENT });
    await using observer = new Taskwright({ broker: place, clock });
    await using worker = app.worker({ heartbeat: "10s" });
    await worker.start();
    silent = true;
    await clock.advance("29s");
    expect(await observer.inspect.workers()).toHaveLength(1);
    await clock.advance("1s");
    expect(await observer.inspect.workers()).toEqual([]);
    silent = false;
    await clock.advance("10s");
    expect(await observer.inspect.workers()).toHaveLength(1);
  });
});
