import { BrokerError, CancelledError, currentJob, NoResultError, Taskwright, TimeoutError } from "taskwright";
import { memory } from "taskwright/drivers/memory";
import { sqlite } from "taskwright/drivers/sqlite";
import { FakeClock } from "taskwright/testing";
import { describe, expect, onTestFinished, test } from "vitest";
import { temporaryFolder } from "../support/temporary.js";
import { aborted, deferred, memoryApp, nextEvent, tapped } from "./support.js";

const SILENT = { debug() {}, info() {}, warn() {}, error() {} };

describe("state", () => {
  test("follows a job through its life: scheduled, active, retrying, waiting, completed", async () => {
    const clock = new FakeClock();
    await using app = memoryApp({ clock });
    const [started, goOn] = [deferred(), deferred()];
    const work = app.task("work", { attempts: 2, backoff: "10s" }, async () => {
      if (currentJob().attempt === 2) return "done";
      started.resolve();
      await goOn.promise;
      throw new Error("once more");
    });
    const job = await work.with({ delay: "5s" }).enqueue();
    expect(await job.state()).toBe("scheduled");
    await clock.advance("5s");
    expect(await job.state()).toBe("waiting");
    await using worker = app.worker();
    await worker.start();
    await started.promise;
    expect(await job.state()).toBe("active");
    const failed = nextEvent(worker, "job:retrying");
    goOn.resolve();
    await failed;
    expect(await job.state()).toBe("retrying");
    await worker.stop();
    await clock.advance("10s");
    expect(await job.state()).toBe("waiting");
    await app.drain();
    expect(await job.state()).toBe("completed");
    expect(await job.result()).toBe("done");
  });

  test("is dead, cancelled or unknown at the end", async () => {
    await using app = memoryApp();
    const fail = app.task("fail", { attempts: 1 }, () => {
      throw new Error("no");
    });
    const dead = await fail.enqueue();
    await app.drain();
    const cancelled = await fail.enqueue();
    await cancelled.cancel();
    expect([await dead.state(), await cancelled.state(), await app.job("nobody").state()]).toEqual([
      "dead",
      "cancelled",
      "unknown",
    ]);
  });

  test("of a job without a result is unknown once it completed, since nobody keeps it", async () => {
    await using app = memoryApp();
    const job = await app.task("t", { result: { keep: false } }, () => 1).enqueue();
    expect(await job.state()).toBe("waiting");
    await app.drain();
    expect(await job.state()).toBe("unknown");
  });
});

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
    await clock.advance(100);
    expect(await waiting).toBe("x");
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

describe("progress and logs", () => {
  test("progress is followed to the end, and the newest value stays", async () => {
    await using app = memoryApp();
    const steps = [deferred(), deferred(), deferred()];
    const work = app.task("work", async () => {
      const job = currentJob();
      for (const [index, step] of steps.entries()) {
        await step.promise;
        await job.progress({ step: index });
      }
    });
    const job = await work.enqueue();
    expect(await job.progress().last()).toBeUndefined();
    await using worker = app.worker();
    await worker.start();
    const seen: unknown[] = [];
    steps[0]?.resolve();
    for await (const value of job.progress()) {
      seen.push(value);
      steps[seen.length]?.resolve();
    }
    expect(seen).toEqual([{ step: 0 }, { step: 1 }, { step: 2 }]);
    expect(await job.progress().last()).toEqual({ step: 2 });
  });

  test("a slow reader sees the newest value, and the last one always", async () => {
    await using app = memoryApp();
    const work = app.task("work", async () => {
      for (let n = 1; n <= 100; n++) await currentJob().progress(n);
    });
    const job = await work.enqueue();
    await app.drain();
    const seen: unknown[] = [];
    for await (const value of job.progress()) seen.push(value);
    expect(seen).toEqual([100]);
  });

  test("following ends with a job that told nothing, and when the reader leaves", async () => {
    const clock = new FakeClock();
    await using app = memoryApp({ clock });
    const [reported, goOn] = [deferred(), deferred()];
    const work = app.task("work", async (tell: boolean) => {
      if (!tell) return;
      await currentJob().progress("half");
      reported.resolve();
      await goOn.promise;
    });
    const [quiet, loud] = [await work.enqueue(false), await work.enqueue(true)];
    await using worker = app.worker();
    await worker.start();
    const seen: unknown[] = [];
    for await (const value of quiet.progress()) seen.push(value);
    await reported.promise;
    for await (const value of loud.progress()) {
      seen.push(value);
      break;
    }
    expect(seen).toEqual(["half"]);
    goOn.resolve();
  });

  test("logs are lines in their order", async () => {
    await using app = memoryApp();
    const work = app.task("work", async () => {
      const job = currentJob();
      await Promise.all([job.log("one"), job.log("two")]);
      await job.log("three");
    });
    const job = await work.enqueue();
    expect(await job.logs()).toEqual([]);
    await app.drain();
    expect(await job.logs()).toEqual(["one", "two", "three"]);
  });

  test("progress that cannot be sent rejects in the handler", async () => {
    await using app = memoryApp();
    const work = app.task("work", async () => {
      await currentJob().progress(() => 1);
    });
    const job = await work.with({ attempts: 1 }).enqueue();
    await app.drain();
    await expect(job.result()).rejects.toThrow(/progress/);
  });

  test("reach another process over a shared database", async () => {
    const folder = await temporaryFolder();
    onTestFinished(() => folder.remove());
    const open = () => new Taskwright({ broker: sqlite({ path: `${folder.path}/jobs.db`, synchronous: "NORMAL" }) });
    await using producer = open();
    await using consumer = open();
    const goOn = deferred();
    consumer.task("work", async () => {
      await currentJob().progress(0.5);
      await currentJob().log("half");
      await goOn.promise;
      return "done";
    });
    await using worker = consumer.worker();
    await worker.start();
    const job = await producer.send("work");
    const seen: unknown[] = [];
    for await (const value of job.progress()) {
      seen.push(value);
      goOn.resolve();
    }
    expect(seen).toEqual([0.5]);
    expect(await job.logs()).toEqual(["half"]);
    expect(await job.result()).toBe("done");
  });
});

describe("attempts", () => {
  test("tell each failed run: its number, times, worker and error", async () => {
    const clock = new FakeClock(new Date("2027-01-01T00:00:00Z"));
    await using app = memoryApp({ clock });
    const runs = [deferred(), deferred()];
    const work = app.task("work", { attempts: 2, backoff: "10s" }, async () => {
      const { attempt } = currentJob();
      await runs[attempt - 1]?.promise;
      throw new RangeError(`run ${attempt}`);
    });
    app.errors.register(RangeError);
    const job = await work.enqueue();
    expect(await job.attempts()).toEqual([]);
    await using worker = app.worker();
    await worker.start();
    await clock.advance("1s");
    runs[0]?.resolve();
    await clock.advance(0);
    const first = {
      attempt: 1,
      startedAt: new Date("2027-01-01T00:00:00Z"),
      endedAt: new Date("2027-01-01T00:00:01Z"),
      worker: worker.id,
      error: new RangeError("run 1"),
    };
    expect(await job.attempts()).toEqual([first]);
    await clock.advance("12s");
    runs[1]?.resolve();
    await clock.advance(0);
    const second = {
      attempt: 2,
      startedAt: new Date("2027-01-01T00:00:11Z"),
      endedAt: new Date("2027-01-01T00:00:13Z"),
      worker: worker.id,
      error: new RangeError("run 2"),
    };
    expect(await job.state()).toBe("dead");
    expect(await job.attempts()).toEqual([first, second]);
    expect((await app.inspect.find(job.id))?.attempts).toEqual([first, second]);
  });

  test("of a job that nobody knows are none", async () => {
    await using app = memoryApp();
    expect(await app.job("nobody").attempts()).toEqual([]);
  });
});

describe("cancel", () => {
  test("a waiting or scheduled job never runs", async () => {
    const clock = new FakeClock();
    await using app = memoryApp({ clock });
    let runs = 0;
    const work = app.task("work", () => void runs++);
    const [waiting, scheduled] = [await work.enqueue(), await work.with({ delay: "1h" }).enqueue()];
    const result = waiting.result().catch((error: unknown) => error);
    expect(await waiting.cancel()).toBe("cancelled");
    expect(await scheduled.cancel()).toBe("cancelled");
    expect(await result).toBeInstanceOf(CancelledError);
    await app.drain();
    await clock.advance("2h");
    await app.drain();
    expect(runs).toBe(0);
    expect([await waiting.state(), await scheduled.state()]).toEqual(["cancelled", "cancelled"]);
    await expect(scheduled.result()).rejects.toThrow(CancelledError);
  });

  test("a job that a worker has fetched but not started never runs either", async () => {
    await using app = memoryApp();
    const [started, goOn] = [deferred(), deferred()];
    const ran: string[] = [];
    const work = app.task("work", async (name: string) => {
      ran.push(name);
      started.resolve();
      await goOn.promise;
    });
    await using worker = app.worker({ concurrency: 1, prefetch: 5 });
    const [first, second] = await work.enqueueMany([["first"], ["second"]]);
    await worker.start();
    await started.promise;
    expect(await second?.state()).toBe("active");
    expect(await second?.cancel()).toBe("requested");
    goOn.resolve();
    await first?.result();
    await expect(second?.result({ timeout: "5s" })).rejects.toThrow(CancelledError);
    expect(await second?.state()).toBe("cancelled");
    expect(ran).toEqual(["first"]);
  });

  test("an active job has its signal aborted, on whichever worker, and is not retried", async () => {
    const place = memory();
    await using producer = new Taskwright({ broker: place });
    await using consumer = new Taskwright({ broker: place });
    const started = deferred();
    let reason: unknown;
    consumer.task("work", { attempts: 5, backoff: 0 }, async () => {
      const { signal } = currentJob();
      started.resolve();
      await aborted(signal).catch((error: unknown) => {
        reason = error;
        throw error;
      });
    });
    await using worker = consumer.worker();
    await worker.start();
    const job = await producer.send("work");
    await started.promise;
    const ended = nextEvent(worker, "job:cancelled");
    expect(await job.cancel()).toBe("requested");
    expect(await ended).toMatchObject({ id: job.id, attempt: 1, worker: worker.id });
    expect(reason).toBeInstanceOf(CancelledError);
    await expect(job.result()).rejects.toThrow(CancelledError);
    expect(await job.state()).toBe("cancelled");
    expect(worker.stats).toMatchObject({ cancelled: 1, retried: 0 });
  });

  test("a job in another process over a shared database is told too", async () => {
    const folder = await temporaryFolder();
    onTestFinished(() => folder.remove());
    const open = () => new Taskwright({ broker: sqlite({ path: `${folder.path}/jobs.db`, synchronous: "NORMAL" }) });
    await using producer = open();
    await using consumer = open();
    const started = deferred();
    consumer.task("work", async () => {
      const { signal } = currentJob();
      started.resolve();
      await aborted(signal);
    });
    await using worker = consumer.worker({ lease: "600ms" });
    await worker.start();
    const job = await producer.send("work");
    await started.promise;
    expect(await job.cancel()).toBe("requested");
    await expect(job.result({ timeout: "10s" })).rejects.toThrow(CancelledError);
  });

  test("a handler that completes in spite of it has completed", async () => {
    await using app = memoryApp();
    const [started, goOn] = [deferred(), deferred()];
    const work = app.task("work", async () => {
      started.resolve();
      await goOn.promise;
      return "done anyway";
    });
    await using worker = app.worker();
    await worker.start();
    const job = await work.enqueue();
    await started.promise;
    await job.cancel();
    goOn.resolve();
    expect(await job.result()).toBe("done anyway");
  });

  test("a finished or dead job is absent, and its outcome stays", async () => {
    await using app = memoryApp();
    const done = await app.task("ok", () => "x").enqueue();
    const dead = await app.task("fail", { attempts: 1 }, () => Promise.reject(new Error("no"))).enqueue();
    await app.drain();
    expect([await done.cancel(), await dead.cancel(), await app.job("nobody").cancel()]).toEqual([
      "absent",
      "absent",
      "absent",
    ]);
    expect(await done.result()).toBe("x");
    expect(await dead.state()).toBe("dead");
  });
});

describe("forget and retry", () => {
  test("forget deletes result, progress and log", async () => {
    await using app = memoryApp();
    const work = app.task("work", async () => {
      await currentJob().progress(1);
      await currentJob().log("x");
    });
    const job = await work.enqueue();
    await app.drain();
    expect(await job.forget()).toBe(true);
    expect(await job.forget()).toBe(false);
    expect([await job.state(), await job.logs(), await job.progress().last()]).toEqual(["unknown", [], undefined]);
  });

  test("a dead job is retried with all its attempts, and its result comes then", async () => {
    await using app = memoryApp();
    let broken = true;
    const work = app.task("work", { attempts: 2, backoff: 0 }, () => {
      if (broken) throw new Error("no");
      return `done on run ${currentJob().attempt}`;
    });
    const job = await work.enqueue();
    expect(await app.drain()).toMatchObject({ retried: 1, dead: 1 });
    await expect(job.result()).rejects.toThrow("no");
    expect(await job.retry()).toBe(true);
    expect(await job.retry()).toBe(false);
    expect(await app.drain()).toMatchObject({ retried: 1, dead: 1 });
    broken = false;
    expect(await job.retry()).toBe(true);
    expect(await job.state()).toBe("waiting");
    const result = job.result();
    await app.drain();
    expect(await result).toBe("done on run 1");
  });

  test("a job that is not dead is not retried", async () => {
    await using app = memoryApp();
    const job = await app.task("t", () => 1).enqueue();
    expect(await job.retry()).toBe(false);
    await app.drain();
    expect(await job.retry()).toBe(false);
    expect(await app.drain()).toMatchObject({ completed: 0 });
  });

  test("with a separate backend the retried job's old outcome is gone too", async () => {
    await using app = new Taskwright({ broker: memory(), backend: memory(), logger: SILENT });
    let broken = true;
    const work = app.task("work", { attempts: 1 }, () => {
      if (broken) throw new Error("no");
      return "done";
    });
    const job = await work.enqueue();
    await app.drain();
    await expect(job.result()).rejects.toThrow("no");
    broken = false;
    await job.retry();
    await app.drain();
    expect(await job.result()).toBe("done");
  });
});
