import { join } from "node:path";
import {
  CancelledError,
  ConfigError,
  currentJob,
  Discard,
  NoResultError,
  Retry,
  ShutdownError,
  Taskwright,
  TimeoutError,
  UnknownTaskError,
  UnreadableError,
  UnsupportedError,
  ValidationError,
} from "taskwright";
import { memory } from "taskwright/drivers/memory";
import { sqlite } from "taskwright/drivers/sqlite";
import { FakeClock } from "taskwright/testing";
import { afterEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { temporaryFolder } from "../support/temporary.js";
import { aborted, deferred, memoryApp, nextEvent, RecordingLogger, recordEvents, tapped } from "./support.js";

const SILENT = { debug() {}, info() {}, warn() {}, error() {} };

const open: { close(): Promise<unknown> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

/** Processes that share one place: each has its own app, with the same task. */
function apps(count: number, name: string, define: (app: Taskwright, index: number) => void): Taskwright[] {
  return Array.from({ length: count }, (_, index) => {
    const app = new Taskwright({ broker: memory({ name }), logger: SILENT });
    open.push(app);
    define(app, index);
    return app;
  });
}

/** Resolves when the worker has run this many broadcasts. */
async function untilRun(events: { length: number }, count: number): Promise<void> {
  while (events.length < count) await new Promise((resolve) => setImmediate(resolve));
}

describe("a broadcast", () => {
  test("runs once on every worker of its queue, and on no other", async () => {
    const ran: string[] = [];
    const options = { broadcast: true, queue: "caches" } as const;
    const [a, b, c] = apps(3, "every", (app, index) => {
      app.task("cache.clear", options, (key: string) => void ran.push(`${index}:${key}`));
    });
    for (const app of [a, a, b]) await app?.worker({ queues: ["caches", "default"] }).start();
    await c?.worker({ queues: ["default"] }).start();
    await c?.send("cache.clear", { args: ["users"] });
    await untilRun(ran, 3);
    expect(ran.sort()).toEqual(["0:users", "0:users", "1:users"]);
  });

  test("leaves nothing behind: nothing to claim later, no state, no outcome", async () => {
    await using app = memoryApp();
    let runs = 0;
    const t = app.task("t", { broadcast: true }, () => void runs++);
    const job = await t.enqueue();
    expect(await app.drain()).toEqual({ completed: 0, retried: 0, dead: 0, cancelled: 0 });
    await using worker = app.worker();
    await worker.start();
    const heard = recordEvents(worker, "job:completed");
    const second = await t.enqueue();
    await untilRun(heard, 1);
    expect(runs).toBe(1);
    expect([await job.state(), await second.state(), await second.cancel()]).toEqual(["unknown", "unknown", "absent"]);
    expect(await app.inspect.queues()).toEqual([]);
  });

  test("has no result to wait for", async () => {
    await using app = memoryApp();
    const t = app.task("t", { broadcast: true }, () => 1);
    const job = await t.enqueue();
    await expect(job.result()).rejects.toThrow(NoResultError);
    await expect(job.outcome()).rejects.toThrow(/is a broadcast: it runs on every worker.*no single result/);
    await expect(t.enqueue().result()).rejects.toThrow(NoResultError);
    expect(() => job.progress()).toThrow(NoResultError);
  });

  test("passes middleware, events and the context of a job like any other, but is not saved", async () => {
    const logger = new RecordingLogger();
    await using app = memoryApp({ logger });
    const hooks: string[] = [];
    const sent: boolean[] = [];
    app.use({
      preSend: (job) => void sent.push(job.broadcast),
      postSend: () => void hooks.push("postSend"),
      preExecute: (job) => {
        hooks.push("preExecute");
        job.args = [...job.args, "added"];
      },
      postExecute: (_, outcome) => void hooks.push(`postExecute ${outcome.ok}`),
      postSave: () => void hooks.push("postSave"),
    });
    const seen = deferred<unknown>();
    const t = app.task("t", { broadcast: true, labels: { a: 1 } }, async (...args: string[]) => {
      const job = currentJob();
      await job.progress(0.5);
      await job.log("a line");
      const { id, queue, attempt, attempts, labels } = job;
      seen.resolve({ id, queue, attempt, attempts, labels, args, extended: await job.extend() });
    });
    await using worker = app.worker();
    const events = recordEvents(worker, "job:started", "job:completed", "job:dead", "broadcast:failed");
    await worker.start();
    const job = await t.with({ labels: { b: 2 } }).enqueue("given");
    expect(await seen.promise).toEqual({
      id: job.id,
      queue: "default",
      attempt: 1,
      attempts: 1,
      labels: { a: 1, b: 2 },
      args: ["given", "added"],
      extended: true,
    });
    await untilRun(events, 2);
    expect(events.map(({ name }) => name)).toEqual(["job:started", "job:completed"]);
    await worker.stop();
    expect([hooks.sort(), sent]).toEqual([["postExecute true", "postSend", "preExecute"], [true]]);
    expect(logger.messages("info")).toContain("a line");
    expect(await job.logs()).toEqual([]);
    expect(worker.stats).toMatchObject({ completed: 1, failed: 0, active: 0 });
  });

  test("is enqueued by the hundred in one batch, and by a call or a stub that says so", async () => {
    const calls: number[] = [];
    const driver = tapped(memory(), (call, next) => {
      if (call.contract === "broadcaster" && call.method === "publish") {
        calls.push((call.args[0] as readonly unknown[]).length);
      }
      return next();
    });
    await using app = new Taskwright({ broker: driver });
    const ran: number[] = [];
    const plain = app.task("plain", (n: number) => void ran.push(n));
    const own = app.task("own", { broadcast: true }, (n: number) => void ran.push(n));
    await using worker = app.worker();
    await worker.start();
    const handles = await own.enqueueMany(Array.from({ length: 100 }, (_, n) => [n]));
    expect(handles.map((job) => job.duplicate)).toEqual(new Array(100).fill(false));
    await plain.with({ broadcast: true }).enqueue(100);
    await app.remoteTask<[number], void>("plain", { broadcast: true }).enqueue(101);
    await app.send("plain", { args: [102], broadcast: true });
    await Promise.all([own.enqueue(103), own.enqueue(104)]);
    await untilRun(ran, 105);
    expect(ran.sort((a, b) => a - b)).toEqual(Array.from({ length: 105 }, (_, n) => n));
    expect(calls).toEqual([100, 1, 1, 1, 2]);
    expect(await own.with({ broadcast: false }).enqueue(7).result()).toBeUndefined();
  });

  test("runs at its enqueue where jobs do, and has ended when that resolves", async () => {
    const logger = new RecordingLogger();
    await using app = new Taskwright({ broker: memory({ inline: true }), logger });
    const ran: number[] = [];
    const t = app.task("t", { broadcast: true }, async (n: number) => {
      await new Promise((resolve) => setImmediate(resolve));
      ran.push(n);
      if (n === 2) throw new Error("not two");
    });
    await t.enqueue(1);
    expect(ran).toEqual([1]);
    await t.enqueueMany([[2], [3]]);
    expect(ran.sort()).toEqual([1, 2, 3]);
    expect(logger.messages("error")).toEqual(["a broadcast failed on this worker; it is not tried again"]);
  });
});

describe("a broadcast that fails", () => {
  /** What one broadcast to one worker ends with. */
  async function failureOf(app: Taskwright, send: () => PromiseLike<unknown>) {
    await using worker = app.worker();
    const failed = nextEvent(worker, "broadcast:failed");
    const others = recordEvents(worker, "job:dead", "job:retrying", "job:released", "job:completed", "job:lost");
    await worker.start();
    await send();
    const event = await failed;
    await worker.stop();
    expect(others).toEqual([]);
    expect(worker.stats).toMatchObject({ failed: 1, completed: 0, dead: 0, retried: 0, active: 0, prefetched: 0 });
    expect(await app.inspect.queues()).toEqual([]);
    return event;
  }

  test("is told of, logged and over, whatever its app's defaults", async () => {
    const logger = new RecordingLogger();
    await using app = memoryApp({ logger, defaults: { attempts: 5, backoff: 0, expires: "1h" } });
    let runs = 0;
    const t = app.task("t", { broadcast: true }, () => {
      runs += 1;
      throw new RangeError("no");
    });
    const event = await failureOf(app, () => t.enqueue());
    expect(event).toMatchObject({ task: "t", queue: "default", attempt: 1, error: new RangeError("no") });
    expect(logger.messages("error")).toEqual(["a broadcast failed on this worker; it is not tried again"]);
    expect(runs).toBe(1);
  });

  test.each([
    ["throws a decision to retry", () => new Retry({ delay: 0 }), Retry],
    ["throws something else than an error", () => "text", String],
  ])("one that %s too", async (_, thrown, type) => {
    await using app = memoryApp({ logger: SILENT });
    const t = app.task("t", { broadcast: true }, () => {
      throw thrown();
    });
    const { error } = await failureOf(app, () => t.enqueue());
    expect(Object(error)).toBeInstanceOf(type);
  });

  test("a discarded one is cancelled", async () => {
    await using app = memoryApp({ logger: SILENT });
    const t = app.task("t", { broadcast: true }, () => {
      throw new Discard("not for me");
    });
    await using worker = app.worker();
    await worker.start();
    const cancelled = nextEvent(worker, "job:cancelled");
    await t.enqueue();
    expect((await cancelled).error).toBeInstanceOf(CancelledError);
    expect(worker.stats).toMatchObject({ cancelled: 1, failed: 0 });
  });

  test("a task that this worker does not know", async () => {
    await using app = memoryApp({ logger: SILENT });
    const event = await failureOf(app, () => app.send("elsewhere", { broadcast: true }));
    expect(event).toMatchObject({ task: "elsewhere", error: expect.any(UnknownTaskError) });
  });

  test("a body that cannot be read", async () => {
    const driver = memory({ name: "unreadable" });
    await using app = new Taskwright({ broker: driver, logger: SILENT });
    await app.connect();
    const other = await driver.connect({
      clock: { now: Date.now, schedule: () => () => {} },
      random: Math.random,
      logger: SILENT,
    });
    const job = { id: "x", queue: "default", priority: 0, body: new Uint8Array([0xc1]), task: "t" };
    const event = await failureOf(app, () => other.broadcaster?.publish([job]) ?? Promise.reject(new Error("none")));
    expect(event).toMatchObject({ id: "x", task: "?", error: expect.any(UnreadableError) });
    await other.close();
  });

  test("arguments that do not fit, where the sender has no schema", async () => {
    await using app = memoryApp({ logger: SILENT });
    app.task("t", { broadcast: true, input: z.number() }, (n) => n);
    const stub = app.remoteTask<[string], void>("t", { broadcast: true });
    expect((await failureOf(app, () => stub.enqueue("text"))).error).toBeInstanceOf(ValidationError);
  });

  test("one that takes longer than its timeout", async () => {
    const clock = new FakeClock();
    await using app = memoryApp({ clock, logger: SILENT });
    const t = app.task("t", { broadcast: true, timeout: "1s" }, () => aborted(currentJob().signal));
    const event = await failureOf(app, async () => {
      await t.enqueue();
      await clock.advance("1s");
    });
    expect(event).toMatchObject({ error: expect.any(TimeoutError), duration: 1000 });
  });

  test("one worker's failure is not another's", async () => {
    const ends: string[] = [];
    const [first, second] = apps(2, "apart", (app, index) => {
      app.task("t", { broadcast: true }, () => {
        if (index === 0) throw new Error("no");
      });
      app.on("broadcast:failed", () => void ends.push(`${index} failed`));
      app.on("job:completed", () => void ends.push(`${index} completed`));
    });
    await first?.worker().start();
    await second?.worker().start();
    await first?.send("t");
    await untilRun(ends, 2);
    expect(ends.sort()).toEqual(["0 failed", "1 completed"]);
  });
});

describe("the slots of broadcasts", () => {
  test("are their own: a leased job starts beside them, and as many of them run at once as the worker may", async () => {
    await using app = memoryApp();
    const gate = deferred();
    let running = 0;
    let most = 0;
    const slow = app.task("slow", { broadcast: true }, async () => {
      most = Math.max(most, ++running);
      await gate.promise;
      running -= 1;
    });
    const quick = app.task("quick", () => "done");
    await using worker = app.worker({ concurrency: 2 });
    await worker.start();
    const ended = recordEvents(worker, "job:completed");
    await slow.enqueueMany([[], [], [], [], []]);
    expect(await quick.enqueue().result()).toBe("done");
    expect(worker.stats).toMatchObject({ active: 2, prefetched: 3 });
    gate.resolve();
    await untilRun(ended, 6);
    expect(most).toBe(2);
  });

  test("have a bounded line before them: what comes on top is dropped, and told of", async () => {
    await using app = memoryApp({ logger: SILENT });
    const gate = deferred();
    const t = app.task("t", { broadcast: true }, () => gate.promise);
    await using worker = app.worker({ concurrency: 1 });
    await worker.start();
    const completed = recordEvents(worker, "job:completed");
    const failed = recordEvents(worker, "broadcast:failed");
    await t.enqueue();
    await t.enqueueMany(Array.from({ length: 1003 }, () => []));
    expect(failed.map(({ event }) => (event as { error: unknown }).error)).toEqual(
      new Array(3).fill(expect.any(CancelledError)),
    );
    gate.resolve();
    await untilRun(completed, 1001);
    expect(worker.stats).toMatchObject({ completed: 1001, failed: 3 });
  });
});

describe("a worker that stops", () => {
  test("hears no more, lets running broadcasts finish, and drops those that wait", async () => {
    await using app = memoryApp({ logger: SILENT });
    const gate = deferred();
    const ran: number[] = [];
    const t = app.task("t", { broadcast: true }, async (n: number) => {
      await gate.promise;
      ran.push(n);
    });
    await using worker = app.worker({ concurrency: 1 });
    const failed = recordEvents(worker, "broadcast:failed");
    await worker.start();
    await t.enqueueMany([[1], [2]]);
    const stopped = worker.stop();
    await nextTurn();
    await t.enqueue(3);
    gate.resolve();
    await stopped;
    expect(ran).toEqual([1]);
    expect(failed.map(({ event }) => (event as { error: unknown }).error)).toEqual([expect.any(ShutdownError)]);
    expect(worker.stats).toMatchObject({ completed: 1, failed: 1, released: 0 });
  });

  test("aborts those that outlive its grace", async () => {
    await using app = memoryApp({ logger: SILENT });
    const [started, reason] = [deferred(), deferred<unknown>()];
    const t = app.task("t", { broadcast: true }, () => {
      started.resolve();
      return aborted(currentJob().signal).catch(reason.resolve);
    });
    await using worker = app.worker();
    const failed = nextEvent(worker, "broadcast:failed");
    await worker.start();
    await t.enqueue();
    await started.promise;
    await worker.stop({ grace: 0 });
    expect(await reason.promise).toBeInstanceOf(ShutdownError);
    expect((await failed).error).toBeInstanceOf(ShutdownError);
  });

  test("does not start where it cannot listen, and leaves nothing open", async () => {
    const calls: string[] = [];
    const driver = tapped(memory(), (call, next) => {
      calls.push(`${call.contract}.${call.method}`);
      if (call.method === "subscribe") throw new UnsupportedError("no listening today");
      return next();
    });
    await using app = new Taskwright({ broker: driver });
    await expect(app.worker().start()).rejects.toThrow("no listening today");
    expect(calls).toContain("consumer.close");
  });
});

describe("what a broadcast cannot be", () => {
  test("anything but now and once: options that promise more are refused where they are written", async () => {
    await using app = memoryApp();
    const define = (options: object) => () => app.task("t", { broadcast: true, ...options }, () => {});
    for (const [options, message] of [
      [{ attempts: 2 }, /task "t" is broadcast and cannot have attempts above 1: each worker runs a broadcast once/],
      [{ backoff: "1s" }, /backoff/],
      [{ retryOn: RangeError }, /retryOn/],
      [{ delivery: "at-least-once" }, /delivery "at-least-once"/],
      [{ expires: "1m" }, /expires: a broadcast goes to the workers that live now/],
      [{ priority: 3 }, /priority/],
      [{ result: { keep: true } }, /result.keep/],
    ] as const) {
      expect(define(options)).toThrow(ConfigError);
      expect(define(options)).toThrow(message);
    }
    expect(() => app.task("t", { broadcast: "yes" } as never, () => {})).toThrow(/broadcast of task "t" must be true/);
    const agreeing = { attempts: 1, delivery: "at-most-once", priority: 0, result: { keep: false } } as const;
    const t = app.task("t", { broadcast: true, ...agreeing }, () => {});
    for (const options of [{ delay: "1s" }, { at: new Date() }, { id: "mine" }, { tx: {} }, { attempts: 3 }] as const) {
      expect(() => t.with(options)).toThrow(/is broadcast and cannot have/);
      expect(() => t.s().with(options)).toThrow(/is broadcast and cannot have/);
      expect(() => app.send("t", options)).toThrow(/is broadcast and cannot have/);
      expect(() => app.remoteTask("r", { broadcast: true, ...options })).toThrow(/is broadcast and cannot have/);
    }
    const plain = app.task("plain", { attempts: 5 }, () => {});
    expect(() => plain.with({ broadcast: true })).toThrow(/cannot have attempts above 1/);
    expect(() => plain.with({ broadcast: true, attempts: 1 })).not.toThrow();
  });

  test("anything else by middleware", async () => {
    await using app = memoryApp();
    app.use({
      preSend(job) {
        job.notBefore = { in: 1000 };
      },
    });
    const t = app.task("t", { broadcast: true }, () => {});
    await expect(t.enqueue()).rejects.toThrow(/task "t" is broadcast and cannot have delay or at/);
  });

  test("sent by a driver that cannot", async () => {
    const folder = await temporaryFolder();
    await using app = new Taskwright({ broker: sqlite(join(folder.path, "jobs.db")) });
    open.push({ close: () => folder.remove() });
    const t = app.task("t", { broadcast: true }, () => {});
    await expect(t.enqueue()).rejects.toThrow(UnsupportedError);
    await expect(t.enqueueMany([[]])).rejects.toThrow(/sqlite cannot broadcast: use a broker that can, such as redis/);
  });
});

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
