import { currentJob, TimeoutError } from "taskwright";
import { FakeClock } from "taskwright/testing";
import { describe, expect, test } from "vitest";
import { aborted, deferred, memoryApp, recordEvents } from "./support.js";

const SILENT = { debug() {}, info() {}, warn() {}, error() {} };

describe("timeout", () => {
  test("aborts the signal, fails the attempt with TimeoutError and is retried by policy", async () => {
    const clock = new FakeClock();
    await using app = memoryApp({ clock });
    const reasons: unknown[] = [];
    const slow = app.task("slow", { attempts: 2, timeout: "5s", backoff: "1s" }, async () => {
      await aborted(currentJob().signal).catch((error: unknown) => {
        reasons.push(error);
        throw error;
      });
    });
    await using worker = app.worker();
    const events = recordEvents(worker, "job:retrying", "job:dead");
    await worker.start();
    const job = await slow.enqueue();
    await clock.advance(4999);
    expect(reasons).toEqual([]);
    await clock.advance(1);
    expect(reasons).toHaveLength(1);
    expect(reasons[0]).toBeInstanceOf(TimeoutError);
    expect(await job.state()).toBe("retrying");
    await clock.advance("6s");
    expect(await job.state()).toBe("dead");
    expect(events).toMatchObject([
      { name: "job:retrying", event: { duration: 5000, delay: 1000 } },
      { name: "job:dead", event: { duration: 5000 } },
    ]);
    const error = await job.result().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(TimeoutError);
    expect(String(error)).toContain("5s");
  });

  test("a call's timeout is stronger than the task's, and that one than the default", async () => {
    const clock = new FakeClock();
    await using app = memoryApp({ clock, defaults: { timeout: "3s", attempts: 1 } });
    const wait = () => aborted(currentJob().signal);
    const [bare, own] = [app.task("bare", wait), app.task("own", { timeout: "2s" }, wait)];
    await using worker = app.worker();
    const ends: Record<string, number> = {};
    worker.on("job:dead", ({ id, duration }) => {
      ends[id] = duration;
    });
    await worker.start();
    const jobs = [await bare.enqueue(), await own.enqueue(), await own.with({ timeout: "1s" }).enqueue()];
    await clock.advance("10s");
    expect(jobs.map(({ id }) => ends[id])).toEqual([3000, 2000, 1000]);
  });

  test("a handler that ignores its signal keeps its slot until it ends; its late result is dropped and logged", async () => {
    const clock = new FakeClock();
    const warnings: [object, string][] = [];
    await using app = memoryApp({
      clock,
      logger: { ...SILENT, warn: (fields, text) => warnings.push([fields, text]) },
    });
    const [started, goOn] = [deferred(), deferred()];
    const stubborn = app.task("stubborn", { attempts: 1, timeout: "1s" }, async () => {
      started.resolve();
      await goOn.promise;
      return "late";
    });
    const order: string[] = [];
    const next = app.task("next", () => void order.push("next"));
    await using worker = app.worker({ concurrency: 1 });
    await worker.start();
    const job = await stubborn.enqueue();
    await started.promise;
    const waiting = await next.enqueue();
    await clock.advance("10s");
    expect(await job.state()).toBe("dead");
    expect(await waiting.state()).toBe("waiting");
    expect([worker.stats.active, order]).toEqual([1, []]);
    goOn.resolve();
    await waiting.result();
    expect(order).toEqual(["next"]);
    await expect(job.result()).rejects.toThrow(TimeoutError);
    expect(worker.stats).toMatchObject({ completed: 1, dead: 1 });
    expect(warnings).toEqual([
      [expect.objectContaining({ job: job.id, task: "stubborn" }), expect.stringContaining("its result is dropped")],
    ]);
  });

  test("the next attempt may start in another slot while the last one still ignores its signal", async () => {
    const clock = new FakeClock();
    await using app = memoryApp({ clock, logger: SILENT });
    const goOn = deferred();
    const stubborn = app.task("stubborn", { attempts: 2, timeout: "1s", backoff: 0 }, async () => {
      if (currentJob().attempt === 1) await goOn.promise;
      return currentJob().attempt;
    });
    await using worker = app.worker({ concurrency: 2 });
    await worker.start();
    const job = await stubborn.enqueue();
    await clock.advance("2s");
    expect(await job.result()).toBe(2);
    expect(worker.stats.active).toBe(1);
    goOn.resolve();
    await clock.advance(0);
    expect(worker.stats).toMatchObject({ active: 0, completed: 1, retried: 1 });
    expect(await job.result()).toBe(2);
  });

  test("a handler that ends in time leaves no timer that fails it later", async () => {
    const clock = new FakeClock();
    await using app = memoryApp({ clock });
    const quick = app.task("quick", { timeout: "1s" }, () => "ok");
    await using worker = app.worker();
    await worker.start();
    const jobs = await quick.enqueueMany([[], [], []]);
    await clock.advance("5s");
    for (const job of jobs) expect(await job.state()).toBe("completed");
    expect(worker.stats).toMatchObject({ completed: 3, retried: 0 });
  });
});
