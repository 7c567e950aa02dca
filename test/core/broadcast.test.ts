import { join } from "node:path";
import { ConfigError, currentJob, NoResultError, Taskwright, UnsupportedError } from "taskwright";
import { memory } from "taskwright/drivers/memory";
import { sqlite } from "taskwright/drivers/sqlite";
import { describe, expect, onTestFinished, test } from "vitest";
import { temporaryFolder } from "../support/temporary.js";
import { apps, untilRun } from "./broadcasts.js";
import { deferred, memoryApp, RecordingLogger, recordEvents, tapped } from "./support.js";

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
    onTestFinished(() => folder.remove());
    const t = app.task("t", { broadcast: true }, () => {});
    await expect(t.enqueue()).rejects.toThrow(UnsupportedError);
    await expect(t.enqueueMany([[]])).rejects.toThrow(/sqlite cannot broadcast: use a broker that can, such as redis/);
  });
});
