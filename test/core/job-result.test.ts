import { BrokerError, NoResultError, Taskwright, TimeoutError } from "taskwright";
import { memory } from "taskwright/drivers/memory";
import { FakeClock } from "taskwright/testing";
import { describe, expect, test } from "vitest";
import { deferred, memoryApp, tapped } from "./support.js";

const SILENT = { debug() {}, info() {}, warn() {}, error() {} };

describe("result", () => {
  test("is there before it is asked for, and after", async () => {
    await using app = memoryApp();
    const add = app.task("add", (a: number, b: number) => a + b);
    const job = await add.enqueue(1, 2);
    const before = job.result();
    await app.drain();
    expect(await before).toBe(3);
    expect(await job.result()).toBe(3);
    expect(await app.job<number>(job.id).result()).toBe(3);
  });

  test("comes to all who wait, in one notification and without a timer each", async () => {
    const clock = new FakeClock();
    await using app = memoryApp({ clock });
    const job = await app.task("t", () => "x").enqueue();
    const waiting = Array.from({ length: 1000 }, () => job.result());
    await clock.advance(0);
    expect(clock.pending).toBeLessThan(5);
    await app.drain();
    expect(new Set(await Promise.all(waiting))).toEqual(new Set(["x"]));
    await clock.advance(0);
    expect(clock.pending).toBe(0);
  });

  test("stops waiting after `timeout`; the job goes on", async () => {
    const clock = new FakeClock();
    await using app = memoryApp({ clock });
    const job = await app.task("t", () => "x").enqueue();
    const waiting = job.result({ timeout: "5s" });
    const failure = waiting.catch((error: unknown) => error);
    await clock.advance(4999);
    await clock.advance(1);
    const error = await failure;
    expect(error).toBeInstanceOf(TimeoutError);
    expect(String(error)).toContain(`job ${job.id} did not end within 5s`);
    await clock.advance(0);
    expect(clock.pending).toBe(0);
    await app.drain();
    expect(await job.result({ timeout: "5s" })).toBe("x");
  });

  test("stops waiting when the signal aborts, with its reason", async () => {
    const clock = new FakeClock();
    await using app = memoryApp({ clock });
    const job = await app.task("t", () => "x").enqueue();
    const controller = new AbortController();
    const reason = new Error("enough");
    const waiting = job.result({ signal: controller.signal, timeout: "1h" });
    const failure = waiting.catch((error: unknown) => error);
    await clock.advance(0);
    controller.abort(reason);
    expect(await failure).toBe(reason);
    await expect(job.result({ signal: controller.signal })).rejects.toBe(reason);
    await clock.advance(0);
    expect(clock.pending).toBe(0);
    expect(await job.state()).toBe("waiting");
  });

  test("one who stops waiting takes nothing from the others", async () => {
    await using app = memoryApp();
    const job = await app.task("t", () => "x").enqueue();
    const controller = new AbortController();
    const [patient, impatient] = [job.result(), job.result({ signal: controller.signal })];
    controller.abort(new Error("enough"));
    await expect(impatient).rejects.toThrow("enough");
    await app.drain();
    expect(await patient).toBe("x");
  });

  test.each([
    ["kept in the task's options", { result: { keep: false } }, {}],
    ["kept in the call's options", {}, { result: { keep: false } }],
  ])("is refused where none is kept: %s", async (_, ofTask, ofCall) => {
    await using app = memoryApp();
    const job = await app
      .task("t", ofTask, () => 1)
      .with(ofCall)
      .enqueue();
    await app.drain();
    const error = await job.result().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(NoResultError);
    expect(String(error)).toContain("result: { keep: false }");
  });

  test("is refused where the app keeps none by default, unless the task or call asks for it", async () => {
    await using app = memoryApp({ defaults: { result: { keep: false } } });
    const [bare, own] = [app.task("bare", () => 1), app.task("own", { result: { keep: true } }, () => 2)];
    const [none, byTask, byCall] = [
      await bare.enqueue(),
      await own.enqueue(),
      await bare.with({ result: { keep: true } }).enqueue(),
    ];
    await app.drain();
    await expect(none.result()).rejects.toThrow(NoResultError);
    expect([await byTask.result(), await byCall.result()]).toEqual([2, 1]);
  });

  test("without a backend there is none, and the error says what to set", async () => {
    const full = memory();
    const broker = {
      ...full,
      name: "pipe",
      connect: async (environment: Parameters<typeof full.connect>[0]) => {
        const { backend: _b, notifier: _n, ...rest } = await full.connect(environment);
        return rest;
      },
    };
    await using app = new Taskwright({ broker });
    const job = await app.task("t", { attempts: 1 }, () => 1).enqueue();
    expect(await app.drain()).toMatchObject({ completed: 1 });
    const error = await job.result().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(NoResultError);
    expect(String(error)).toMatch(/pipe keeps no results: set `backend` \(or TASKWRIGHT_BACKEND\)/);
    await expect(job.logs()).rejects.toThrow(NoResultError);
    await expect(job.forget()).rejects.toThrow(NoResultError);
    expect(await job.state()).toBe("unknown");
    expect(await job.attempts()).toEqual([]);
  });

  test("of a job that ends between the reader's subscription and its read is not missed", async () => {
    const [subscribed, mayRead] = [deferred(), deferred()];
    const place = memory();
    await using consumer = new Taskwright({ broker: place });
    consumer.task("t", () => "x");
    const slow = tapped(place, async (call, next) => {
      if (call.contract === "notifier") {
        const answer = await next();
        subscribed.resolve();
        return answer;
      }
      if (call.contract === "backend" && call.method === "read") await mayRead.promise;
      return next();
    });
    await using producer = new Taskwright({ broker: slow });
    const job = await producer.send("t");
    const waiting = job.result();
    await subscribed.promise;
    await consumer.drain();
    expect(await waiting).toBe("x");
    mayRead.resolve();
  });

  test("of a job that ends before the reader's subscription is there is read", async () => {
    const [subscribing, maySubscribe] = [deferred(), deferred()];
    const place = memory();
    await using consumer = new Taskwright({ broker: place });
    consumer.task("t", () => "x");
    const slow = tapped(place, async (call, next) => {
      if (call.contract !== "notifier") return next();
      subscribing.resolve();
      await maySubscribe.promise;
      return next();
    });
    await using producer = new Taskwright({ broker: slow });
    const job = await producer.send("t");
    const waiting = job.result();
    await subscribing.promise;
    await consumer.drain();
    maySubscribe.resolve();
    expect(await waiting).toBe("x");
  });

  test("is polled for where the backend does not notify", async () => {
    const clock = new FakeClock();
    const place = memory();
    const mute = {
      ...place,
      connect: async (environment: Parameters<typeof place.connect>[0]) => {
        const { notifier: _, ...rest } = await place.connect(environment);
        return rest;
      },
    };
    await using consumer = new Taskwright({ broker: place, clock });
    consumer.task("t", () => "x");
    await using producer = new Taskwright({ broker: mute, clock });
    const job = await producer.send("t");
    const waiting = job.result();
    await clock.advance(0);
    await consumer.drain();
    await clock.advance(10);
    expect(await waiting).toBe("x");
  });

  test("is polled for every tenth of the time for which nothing came, from 10 ms to 1 s", async () => {
    const clock = new FakeClock();
    const reads: number[] = [];
    const place = tapped(memory(), (call, next) => {
      if (call.contract === "backend" && call.method === "read") reads.push(clock.now());
      return next();
    });
    const mute = {
      ...place,
      connect: async (environment: Parameters<typeof place.connect>[0]) => {
        const { notifier: _, ...rest } = await place.connect(environment);
        return rest;
      },
    };
    await using app = new Taskwright({ broker: mute, clock });
    const begun = clock.now();
    const first = (await app.send("never")).result();
    first.catch(() => {});
    await clock.advance("30s");
    const gaps = reads.slice(1).map((at, index) => at - (reads[index] ?? 0));
    expect(gaps[0]).toBe(10);
    expect(Math.max(...gaps)).toBe(1000);
    for (const [index, gap] of gaps.entries()) {
      const waited = (reads[index] ?? 0) - begun;
      expect(gap).toBeCloseTo(Math.min(1000, Math.max(10, waited / 10)), -1);
    }
    const before = reads.length;
    const second = (await app.send("never")).result();
    second.catch(() => {});
    await clock.advance(20);
    expect(reads.length - before).toBeGreaterThanOrEqual(2);
  });

  test("a backend that cannot be read rejects the wait", async () => {
    const driver = tapped(memory(), (call, next) => {
      if (call.contract === "backend" && call.method === "read") throw new BrokerError("gone");
      return next();
    });
    await using app = new Taskwright({ broker: driver });
    const job = await app.task("t", () => 1).enqueue();
    await expect(job.result()).rejects.toThrow("gone");
  });

  test("a read whose answer was lost on its way is made once more", async () => {
    let reads = 0;
    const driver = tapped(memory(), (call, next) => {
      if (call.contract === "backend" && call.method === "read" && ++reads === 1) {
        throw new BrokerError("the connection broke before the answer came", { outcome: "unknown" });
      }
      return next();
    });
    await using app = new Taskwright({ broker: driver, logger: SILENT });
    const add = app.task("add", (a: number, b: number) => a + b);
    const job = await add.enqueue(1, 2);
    await app.drain();
    expect([await job.result(), reads]).toEqual([3, 2]);
  });

  test("expires after its ttl", async () => {
    const clock = new FakeClock();
    await using app = memoryApp({ clock });
    const job = await app
      .task("t", () => 1)
      .with({ result: { ttl: "1h" } })
      .enqueue();
    await app.drain();
    await clock.advance("59m");
    expect(await job.result({ timeout: "1s" })).toBe(1);
    await clock.advance("1m");
    expect(await job.state()).toBe("unknown");
  });

  test("waiting ends when the app is closed", async () => {
    const app = memoryApp();
    const job = await app.task("t", () => 1).enqueue();
    const waiting = job.result().catch((error: unknown) => error);
    await app.close();
    expect(await waiting).toBeInstanceOf(BrokerError);
  });
});
