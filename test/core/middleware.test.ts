import { ConfigError, currentJob, Discard, type Middleware, Retry, Snooze, TaskHandler, Taskwright } from "taskwright";
import { memory } from "taskwright/drivers/memory";
import { FakeClock } from "taskwright/testing";
import { describe, expect, test } from "vitest";
import { deferred, memoryApp, RecordingLogger } from "./support.js";

/** Notes each call of each hook. */
function noting(name: string, notes: string[], how: "sync" | "async"): Middleware {
  const note = (hook: string): void | Promise<void> => {
    if (how === "sync") return void notes.push(`${name}.${hook}`);
    return new Promise((resolve) => setImmediate(resolve)).then(() => void notes.push(`${name}.${hook}`));
  };
  return {
    preSend: () => note("preSend"),
    postSend: () => note("postSend"),
    preExecute: () => note("preExecute"),
    postExecute: (_, outcome) => note(`postExecute ${outcome.ok}`),
    onError: () => note("onError"),
    postSave: (_, outcome) => note(`postSave ${outcome.state}`),
  };
}

describe("order", () => {
  test.each(["sync", "async"] as const)("pre hooks go inwards, the others outwards (%s)", async (how) => {
    await using app = memoryApp();
    const notes: string[] = [];
    app.use(noting("outer", notes, how), noting("inner", notes, how));
    const t = app.task("t", { attempts: 1 }, (fail: boolean) => {
      notes.push("run");
      if (fail) throw new Error("no");
    });
    await t.enqueue(true);
    await app.drain();
    await t.enqueue(false);
    await app.drain();
    const sent = ["outer.preSend", "inner.preSend", "inner.postSend", "outer.postSend"];
    const run = ["outer.preExecute", "inner.preExecute", "run"];
    expect(notes).toEqual([
      ...[...sent, ...run],
      ...["inner.postExecute false", "outer.postExecute false", "inner.onError", "outer.onError"],
      ...["inner.postSave dead", "outer.postSave dead"],
      ...[...sent, ...run],
      ...["inner.postExecute true", "outer.postExecute true"],
      ...["inner.postSave completed", "outer.postSave completed"],
    ]);
  });

  test("synchronous and asynchronous layers mix", async () => {
    await using app = memoryApp();
    const notes: string[] = [];
    app.use(noting("a", notes, "async")).use(noting("b", notes, "sync"), noting("c", notes, "async"));
    await app.task("t", () => void notes.push("run")).enqueue();
    await app.drain();
    expect(notes.map((note) => note.replace(/ .*/, ""))).toEqual([
      ...["a.preSend", "b.preSend", "c.preSend", "c.postSend", "b.postSend", "a.postSend"],
      ...["a.preExecute", "b.preExecute", "c.preExecute", "run"],
      ...["c.postExecute", "b.postExecute", "a.postExecute", "c.postSave", "b.postSave", "a.postSave"],
    ]);
  });

  test("every job of enqueueMany passes through it", async () => {
    await using app = memoryApp();
    app.use({
      preSend: async (job) => {
        job.labels = { ...job.labels, n: job.args[0] as number };
      },
    });
    const t = app.task("t", (_n: number) => currentJob().labels);
    const jobs = await t.enqueueMany([[1], [2], [3]]);
    await app.drain();
    expect(await Promise.all(jobs.map((job) => job.result()))).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
  });

  test("it sees the jobs that a middleware of another app has sent", async () => {
    const broker = memory();
    await using producer = new Taskwright({ broker });
    await using consumer = new Taskwright({ broker });
    producer.use({
      preSend(job) {
        job.labels = { ...job.labels, trace: "abc" };
      },
    });
    let seen: unknown;
    consumer.use({
      preExecute(job) {
        seen = job.labels;
      },
    });
    consumer.task("t", () => 1);
    await producer.send("t");
    await consumer.drain();
    expect(seen).toEqual({ trace: "abc" });
  });
});

describe("changing", () => {
  test("preSend may change the message, or give another one", async () => {
    await using app = memoryApp();
    app.use({
      preSend(job) {
        job.queue = "by-middleware";
        job.priority = 8;
        job.args = [...job.args, "added"];
        job.attempts = 9;
      },
    });
    app.use({ preSend: async (job) => ({ ...job, labels: { replaced: true }, notBefore: { in: 60_000 } }) });
    const t = app.task("t", (...all: string[]) => all);
    const job = await t.enqueue("given");
    expect(await app.inspect.find(job.id)).toMatchObject({
      queue: "by-middleware",
      priority: 8,
      state: "scheduled",
      message: { args: ["given", "added"], options: { attempts: 9, labels: { replaced: true } } },
    });
  });

  test("what preSend makes of the arguments is what the schema checks", async () => {
    const { z } = await import("zod");
    await using app = memoryApp();
    app.use({
      preSend(job) {
        job.args = [String(job.args[0])];
      },
    });
    const t = app.task("t", { input: z.string() }, (text) => text);
    const job = await t.enqueue(5 as never);
    await app.drain();
    expect(await job.result()).toBe("5");
  });

  test("preExecute may replace arguments and labels", async () => {
    await using app = memoryApp();
    app.use({
      async preExecute(job) {
        job.args = job.args.map((arg) => (arg as number) * 10);
        job.labels = { ...job.labels, seen: true };
      },
    });
    const t = app.task("t", (a: number, b: number) => [a + b, currentJob().labels]);
    const job = await t.with({ labels: { own: 1 } }).enqueue(1, 2);
    await app.drain();
    expect(await job.result()).toEqual([30, { own: 1, seen: true }]);
  });
});

describe("onError", () => {
  const failing = (app: Taskwright, attempts = 3) =>
    app.task("t", { attempts, backoff: 0 }, () => {
      throw new RangeError(`run ${currentJob().attempt}`);
    });

  test("sees the job and its error, and without an answer the policy decides", async () => {
    await using app = memoryApp();
    const seen: unknown[] = [];
    app.use({ onError: (job, error) => void seen.push([job.task, job.attempt, String(error)]) });
    await failing(app, 2).enqueue();
    expect(await app.drain()).toMatchObject({ retried: 1, dead: 1 });
    expect(seen).toEqual([
      ["t", 1, "RangeError: run 1"],
      ["t", 2, "RangeError: run 2"],
    ]);
  });

  test("may ask for a retry with another delay, up to the attempts there are", async () => {
    const clock = new FakeClock();
    await using app = memoryApp({ clock });
    app.use({ onError: () => new Retry({ delay: "42s" }) });
    const delays: number[] = [];
    app.on("job:retrying", ({ delay }) => delays.push(delay));
    await using worker = app.worker();
    await worker.start();
    const job = await failing(app).enqueue();
    await clock.advance("5m");
    expect(delays).toEqual([42_000, 42_000]);
    expect(await job.state()).toBe("dead");
  });

  test("may discard, snooze or dead-letter", async () => {
    await using app = memoryApp();
    let decision: Discard | Snooze = new Discard("unwanted");
    app.use({ onError: async () => decision });
    const t = failing(app);
    const discarded = await t.enqueue();
    await app.drain();
    expect(await discarded.state()).toBe("cancelled");
    decision = new Snooze("1h");
    const snoozed = await t.enqueue();
    await app.drain();
    expect(await snoozed.state()).toBe("scheduled");
  });

  test("of several decisions the outermost one counts", async () => {
    await using app = memoryApp();
    app.use(
      { onError: () => new Discard("outer") },
      { onError: () => new Discard("inner") },
      { onError: () => undefined },
    );
    const job = await failing(app).enqueue();
    await app.drain();
    await expect(job.result()).rejects.toThrow("outer");
  });

  test("is asked about decisions that the handler throws, too", async () => {
    await using app = memoryApp();
    const seen: string[] = [];
    app.use({ onError: (_, error) => void seen.push((error as Error).name) });
    app.task("t", () => {
      throw new Discard("no");
    });
    await app.send("t");
    expect(await app.drain()).toMatchObject({ cancelled: 1 });
    expect(seen).toEqual(["Discard"]);
  });
});

describe("a hook that fails", () => {
  const ways: [string, () => void | Promise<void>][] = [
    [
      "throws",
      () => {
        throw new Error("hook");
      },
    ],
    ["rejects", () => Promise.reject(new Error("hook"))],
    ["throws undefined", () => Promise.reject(undefined)],
  ];

  test.each(ways)("preSend that %s fails the enqueue", async (_, fail) => {
    await using app = memoryApp();
    app.use({ preSend: fail });
    const t = app.task("t", () => 1);
    expect((await Promise.allSettled([t.enqueue(), t.enqueueMany([[]])])).map(({ status }) => status)).toEqual([
      "rejected",
      "rejected",
    ]);
    expect(await app.inspect.queues()).toEqual([]);
  });

  test.each(ways)("preExecute that %s fails the attempt", async (_, fail) => {
    await using app = memoryApp();
    let hooks = 0;
    app.use({
      preExecute: () => {
        if (hooks++ === 0) return fail();
      },
    });
    const job = await app.task("t", { attempts: 2, backoff: 0 }, () => "ok").enqueue();
    expect(await app.drain()).toMatchObject({ retried: 1, completed: 1 });
    expect(await job.result()).toBe("ok");
  });

  const later = ["postSend", "postExecute", "onError", "postSave"] as const;
  const cases = later.flatMap((hook) => ways.map(([how, fail]) => [hook, how, fail] as const));
  test.each(cases)("%s that %s is logged and changes nothing; outer layers still hear", async (hook, _, fail) => {
    const logger = new RecordingLogger();
    await using app = memoryApp({ logger });
    const heard: string[] = [];
    app.use({ [hook]: () => void heard.push(hook) }, { [hook]: fail });
    const t = app.task("t", { attempts: 2, backoff: 0 }, () => {
      if (currentJob().attempt === 1) throw new Error("once");
      return "ok";
    });
    const job = await t.enqueue();
    expect(await app.drain()).toEqual({ completed: 1, retried: 1, dead: 0, cancelled: 0 });
    expect(await job.result()).toBe("ok");
    const times = { postSend: 1, postExecute: 2, onError: 1, postSave: 2 }[hook];
    expect(heard).toHaveLength(times);
    expect(logger.messages("error")).toEqual(Array(times).fill(`the middleware hook ${hook} threw`));
  });

  test("a hook with a wrong name is refused", () => {
    const app = memoryApp();
    const wrong = { onErorr: () => {} } as unknown as Middleware;
    expect(() => app.use(wrong)).toThrow(ConfigError);
    expect(() => app.use(wrong)).toThrow(/onErorr.*onError/);
  });
});

describe("asynchronous hooks around the end", () => {
  test("drain() and stop() wait for the job to be settled and told of", async () => {
    await using app = memoryApp();
    const saved: string[] = [];
    const pause = () => new Promise<void>((resolve) => setImmediate(() => setImmediate(resolve)));
    app.use({
      postExecute: pause,
      onError: pause,
      postSave: async (_, outcome) => {
        await pause();
        saved.push(outcome.state);
      },
    });
    const t = app.task("t", { attempts: 1 }, (fail: boolean) => {
      if (fail) throw new Error("no");
    });
    await t.enqueueMany([[false], [true]]);
    expect(await app.drain()).toMatchObject({ completed: 1, dead: 1 });
    expect(saved.sort()).toEqual(["completed", "dead"]);
    expect((await app.inspect.queues())[0]?.counts).toMatchObject({ active: 0, waiting: 0, dead: 1 });
  });

  test("a job given up at shutdown is released although its hooks take their time", async () => {
    await using app = memoryApp();
    const [started, never] = [deferred(), deferred()];
    app.use({ onError: () => new Promise<undefined>((resolve) => setImmediate(() => resolve(undefined))) });
    const t = app.task("t", async () => {
      started.resolve();
      await never.promise;
    });
    const job = await t.enqueue();
    const worker = app.worker();
    await worker.start();
    await started.promise;
    await worker.stop({ grace: 0 });
    expect(await job.state()).toBe("waiting");
    expect(worker.stats).toMatchObject({ released: 1 });
    never.resolve();
  });

  test("the failed() hook of a class task is over before postSave hears", async () => {
    const order: string[] = [];
    class Fails extends TaskHandler<[], void> {
      handle() {
        throw new Error("no");
      }
      override async failed() {
        await new Promise((resolve) => setImmediate(resolve));
        order.push("failed");
      }
    }
    await using app = memoryApp();
    app.use({ postSave: () => void order.push("postSave") });
    await app.task("t", { attempts: 1 }, Fails).enqueue();
    await app.drain();
    expect(order).toEqual(["failed", "postSave"]);
  });
});
