import { ConfigError, currentJob, type JobOptions, type TaskOptions } from "taskwright";
import { memory } from "taskwright/drivers/memory";
import { FakeClock } from "taskwright/testing";
import { describe, expect, test } from "vitest";
import { memoryApp } from "./support.js";

const start = new Date("2027-01-01T00:00:00Z");

describe("with()", () => {
  test("later options win, labels and result merge, and nothing that was bound before changes", async () => {
    await using app = memoryApp();
    const say = app.task("say", { labels: { task: 1, both: "task" }, priority: 2 }, (word: string) => word);
    const first = say.with({ priority: 5, labels: { both: "call", one: 1 }, result: { ttl: "1h" } });
    const second = first.with({ queue: "q", labels: { one: 2 }, result: { keep: false } });
    const [plain, one, two] = [await say.enqueue("a"), await first.enqueue("b"), await second.enqueue("c")];
    expect(await app.inspect.find(plain.id)).toMatchObject({ priority: 2, queue: "default" });
    const found = await app.inspect.find(one.id);
    expect(found).toMatchObject({ priority: 5, queue: "default" });
    expect(found?.message?.options).toEqual({ labels: { task: 1, both: "call", one: 1 }, result: { ttl: 3_600_000 } });
    const merged = await app.inspect.find(two.id);
    expect(merged).toMatchObject({ priority: 5, queue: "q" });
    expect(merged?.message?.options).toEqual({
      labels: { task: 1, both: "call", one: 2 },
      result: { ttl: 3_600_000, keep: false },
    });
  });

  test("options that are undefined change nothing", async () => {
    await using app = memoryApp();
    const say = app.task("say", () => 1).with({ queue: "q" });
    // What a JavaScript caller, or one without exactOptionalPropertyTypes, may pass.
    const job = await say.with({ queue: undefined } as unknown as JobOptions).enqueue();
    expect(await app.inspect.find(job.id)).toMatchObject({ queue: "q" });
  });

  test("the caller's own object may change afterwards", async () => {
    await using app = memoryApp();
    const labels = { tenant: "a" };
    const bound = app.task("say", () => currentJob().labels).with({ labels });
    labels.tenant = "b";
    const job = await bound.enqueue();
    await app.drain();
    expect(await job.result()).toEqual({ tenant: "a" });
  });
});

describe("signatures", () => {
  test("bound arguments come last, and the ones given at enqueue first", async () => {
    await using app = memoryApp();
    const list = app.task("list", (a: number, b: string, c: boolean) => [a, b, c]);
    const jobs = [
      await list.s(1, "x", true).enqueue(),
      await list.s("x", true).enqueue(1),
      await list.s(true).enqueue(1, "x"),
      await list.s().enqueue(1, "x", true),
    ];
    await app.drain();
    for (const job of jobs) expect(await job.result()).toEqual([1, "x", true]);
  });

  test("a signature is immutable, takes options by and by, and can be enqueued again", async () => {
    await using app = memoryApp();
    const say = app.task("say", (word: string) => `${word} ${currentJob().queue}`);
    const plain = say.with({ priority: 3 }).s("a");
    const bound = plain.with({ queue: "q", labels: { x: 1 } }).with({ labels: { y: 2 } });
    expect(plain.task).toBe("say");
    expect(plain.toData()).toEqual({ task: "say", args: ["a"], options: { priority: 3 } });
    expect(bound.toData()).toEqual({
      task: "say",
      args: ["a"],
      options: { priority: 3, queue: "q", labels: { x: 1, y: 2 } },
    });
    const jobs = [await bound.enqueue(), await bound.enqueue(), await plain.enqueue()];
    expect(new Set(jobs.map((job) => job.id)).size).toBe(3);
    await app.drain();
    expect(await Promise.all(jobs.map((job) => job.result()))).toEqual(["a q", "a q", "a default"]);
  });

  test("the data of a signature holds no driver and no transaction", () => {
    const app = memoryApp();
    const signature = app
      .task("say", () => 1)
      .s()
      .with({ broker: memory(), backend: memory(), tx: {}, queue: "q" });
    expect(signature.toData().options).toEqual({ queue: "q" });
  });

  test("wrong options are refused at once", () => {
    const app = memoryApp();
    const signature = app.task("say", () => 1).s();
    // @ts-expect-error: no such option
    expect(() => signature.with({ prioritty: 1 })).toThrow(/unknown option "prioritty".*"priority"/);
  });
});

describe("each option, given to a task and to a call", () => {
  const forTask: [keyof TaskOptions, TaskOptions, object][] = [
    ["queue", { queue: "mail" }, { queue: "mail" }],
    ["priority", { priority: 9 }, { priority: 9 }],
    ["expires", { expires: "1m" }, {}],
    ["labels", { labels: { a: "b", c: 1, d: true, e: null } }, {}],
  ];
  test.each(forTask)("%s of a task applies to its jobs", async (_, options, expected) => {
    await using app = memoryApp();
    const job = await app.task("t", options, () => 1).enqueue();
    expect(await app.inspect.find(job.id)).toMatchObject(expected);
  });

  const forCall: [keyof JobOptions, JobOptions, object][] = [
    ["queue", { queue: "mail" }, { queue: "mail" }],
    ["priority", { priority: 9 }, { priority: 9 }],
    ["delay", { delay: "90s" }, { state: "scheduled", dueAt: new Date(start.getTime() + 90_000) }],
    ["delay", { delay: 250 }, { state: "scheduled", dueAt: new Date(start.getTime() + 250) }],
    ["at", { at: new Date("2027-02-01") }, { state: "scheduled", dueAt: new Date("2027-02-01") }],
    ["at", { at: new Date("2020-01-01") }, { state: "waiting" }],
    ["attempts", { attempts: 7 }, { message: { options: { attempts: 7 } } }],
    ["backoff", { backoff: "2s" }, { message: { options: { backoff: "2s" } } }],
    [
      "backoff",
      { backoff: { type: "linear", delay: "2s", max: "1m", jitter: 0.5 } },
      { message: { options: { backoff: { type: "linear", delay: "2s", max: "1m", jitter: 0.5 } } } },
    ],
    ["timeout", { timeout: "2m" }, { message: { options: { timeout: 120_000 } } }],
    ["id", { id: "invoice-7" }, { id: "invoice-7" }],
    ["labels", { labels: { a: null } }, { message: { options: { labels: { a: null } } } }],
    ["kwargs", { kwargs: { x: new Date(5) } }, { message: { options: { kwargs: { x: new Date(5) } } } }],
    [
      "result",
      { result: { keep: false, ttl: "2h" } },
      { message: { options: { result: { keep: false, ttl: 7_200_000 } } } },
    ],
    ["delivery", { delivery: "at-most-once" }, { message: { options: { delivery: "at-most-once" } } }],
  ];
  test.each(forCall)("%s of a call: %o", async (_, options, expected) => {
    await using app = memoryApp({ clock: new FakeClock(start) });
    const job = await app
      .task("t", () => 1)
      .with(options)
      .enqueue();
    expect(await app.inspect.find(job.id)).toMatchObject(expected);
  });

  test("a call's option is stronger than its task's, and that one than the app's default", async () => {
    await using app = memoryApp({ defaults: { queue: "of-app", priority: 1, attempts: 9 } });
    const seen = () => ({ queue: currentJob().queue, attempts: currentJob().attempts });
    const bare = app.task("bare", seen);
    const own = app.task("own", { queue: "of-task", attempts: 5 }, seen);
    const jobs = [
      await bare.enqueue(),
      await own.enqueue(),
      await own.with({ queue: "of-call", attempts: 2 }).enqueue(),
    ];
    await app.drain();
    expect(await Promise.all(jobs.map((job) => job.result()))).toEqual([
      { queue: "of-app", attempts: 9 },
      { queue: "of-task", attempts: 5 },
      { queue: "of-call", attempts: 2 },
    ]);
  });

  test("kwargs reach a TypeScript handler as one last object", async () => {
    await using app = memoryApp();
    const list = app.task("list", (...all: unknown[]) => all);
    const job = await list.with({ kwargs: { to: "b", at: new Date(1) } }).enqueue(1, 2);
    await app.drain();
    expect(await job.result()).toEqual([1, 2, { to: "b", at: new Date(1) }]);
  });

  test("a call may go to another broker and another backend", async () => {
    const [other, results] = [memory({ name: "options-other" }), memory()];
    await using app = memoryApp();
    await using elsewhere = memoryApp({ broker: "memory://options-other", backend: results });
    const add = app.task("add", (a: number, b: number) => a + b);
    elsewhere.register(add);
    const job = await add.with({ broker: other, backend: results }).enqueue(1, 2);
    const byUrl = await add.with({ broker: "memory://options-other", backend: results }).enqueue(3, 4);
    expect(await app.drain()).toMatchObject({ completed: 0 });
    expect(await job.state()).toBe("waiting");
    expect(await elsewhere.drain()).toMatchObject({ completed: 2 });
    expect(await job.result()).toBe(3);
    expect(await byUrl.result()).toBe(7);
    expect(await job.state()).toBe("completed");
  });

  test("a dead job that was sent to another broker is retried there", async () => {
    const other = memory();
    await using app = memoryApp();
    await using elsewhere = memoryApp({ broker: other });
    let fail = true;
    elsewhere.task("flaky", { attempts: 1 }, () => {
      if (fail) throw new Error("not yet");
      return "done";
    });
    const job = await app.remoteTask<[], string>("flaky").with({ broker: other }).enqueue();
    await elsewhere.drain();
    expect(await job.state()).toBe("dead");
    fail = false;
    expect(await job.retry()).toBe(true);
    await elsewhere.drain();
    expect(await job.result()).toBe("done");
  });
});

describe("wrong options", () => {
  const wrong: [string, object, RegExp][] = [
    ["a misspelt name", { prority: 1 }, /unknown option "prority" in task "t": did you mean "priority"\?/],
    ["an unknown name", { zzz: 1 }, /unknown option "zzz"/],
    ["a name of Object's", { constructor: 1 }, /unknown option "constructor"/],
    ["queue", { queue: "" }, /queue of task "t" must be a non-empty string, not ""/],
    ["priority above 9", { priority: 10 }, /priority of task "t" must be a whole number from 0 to 9, not 10/],
    ["priority below 0", { priority: -1 }, /from 0 to 9, not -1/],
    ["a broken priority", { priority: 1.5 }, /whole number/],
    ["attempts", { attempts: 0 }, /attempts of task "t" must be a whole number from 1/],
    ["attempts as text", { attempts: "3" }, /whole number.*not "3"/],
    ["backoff", { backoff: "soon" }, /backoff of task "t"/],
    ["a backoff's setting", { backoff: { type: "fixed", delay: 1, jiter: 1 } }, /jiter is not a setting/],
    ["timeout of 0", { timeout: 0 }, /timeout of task "t" must be longer than 0/],
    ["a negative timeout", { timeout: -5 }, /timeout of task "t"/],
    ["a timeout without unit", { timeout: "5 parsecs" }, /timeout of task "t"/],
    ["expires", { expires: new Date(Number.NaN) }, /expires of task "t" must be a valid Date/],
    ["labels", { labels: { a: {} } }, /label "a" in labels of task "t" must be a string, number, boolean or null/],
    ["labels that are text", { labels: "a" }, /labels of task "t" must be an object/],
    ["result", { result: { keep: "no" } }, /keep in result of task "t" must be true or false, not "no"/],
    ["result.ttl", { result: { ttl: 0 } }, /ttl in result of task "t" must be longer than 0/],
    ["an unknown result option", { result: { tll: 1 } }, /unknown option "tll".*"ttl"/],
    ["delivery", { delivery: "exactly-once" }, /delivery of task "t" must be "at-least-once" or "at-most-once"/],
  ];
  test.each(wrong)("%s", (_, options, message) => {
    const app = memoryApp();
    expect(() => app.task("t", options, () => 1)).toThrow(message);
    const task = app.task("t", () => 1);
    expect(() => task.with(options)).toThrow(message);
  });

  const wrongForCall: [string, object, RegExp][] = [
    ["delay", { delay: "later" }, /delay of task "t"/],
    ["delay as a date", { delay: new Date() }, /delay of task "t" must be a duration/],
    ["at", { at: "tomorrow" }, /at of task "t" must be a valid Date, not "tomorrow"/],
    ["id", { id: "" }, /id of task "t" must be a non-empty string/],
    ["a long id", { id: "x".repeat(256) }, /id of task "t" has 256 characters; at most 255 fit/],
    ["kwargs", { kwargs: 1 }, /kwargs of task "t" must be an object, not 1/],
    ["broker", { broker: 5 }, /broker of task "t" must be a URL such as .* or a driver, not 5/],
    ["backend", { backend: {} }, /backend of task "t" must be a URL/],
    ["tx", { tx: 1 }, /tx of task "t" must be an object/],
  ];
  test.each(wrongForCall)("%s of a call", (_, options, message) => {
    const app = memoryApp();
    const task = app.task("t", () => 1);
    expect(() => task.with(options)).toThrow(ConfigError);
    expect(() => task.with(options)).toThrow(message);
  });

  test.each(["id", "delay", "at", "tx", "kwargs", "broker", "backend"])("%s is no option of a task", (key) => {
    const app = memoryApp();
    expect(() => app.task("t", { [key]: "x" }, () => 1)).toThrow(
      new ConfigError(`"${key}" is an option of one job, not of task "t": use task.with({ ${key}: ... })`),
    );
  });

  test("a transaction on a driver without transactions", async () => {
    await using app = memoryApp();
    const task = app.task("t", () => 1);
    await expect(task.with({ tx: {} }).enqueue()).rejects.toThrow("await app.connect() before");
    await expect(task.with({ tx: {} }).enqueueMany([[]])).rejects.toThrow("await app.connect() before");
    // A client that answers with promises is waited for, and its user waits too.
    const waiting = task.with({ tx: { query() {} } }).enqueue();
    await expect(waiting).rejects.toThrow("memory cannot enqueue or complete jobs inside a transaction");
    await app.connect();
    await expect(task.with({ tx: {} }).enqueue()).rejects.toThrow(
      "memory cannot enqueue or complete jobs inside a transaction",
    );
    await expect(task.with({ tx: {} }).enqueueMany([[]])).rejects.toThrow(
      "memory cannot enqueue or complete jobs inside a transaction",
    );
  });

  test("settings of the app are checked by the constructor", () => {
    expect(() => memoryApp({ defaults: { attempts: 0 } })).toThrow(/attempts/);
    // @ts-expect-error: no such setting
    expect(() => memoryApp({ defaultz: {} })).toThrow(/did you mean "defaults"/);
  });
});

describe("backoff", () => {
  test("a function cannot travel with one call", async () => {
    await using app = memoryApp();
    const task = app.task("t", () => 1);
    await expect(task.with({ backoff: () => 5 }).enqueue()).rejects.toThrow(
      new ConfigError("a backoff function cannot travel with a job: give it to the task, or describe it as an object"),
    );
    await expect(task.with({ backoff: () => 5 }).enqueueMany([[]])).rejects.toThrow(ConfigError);
  });

  test("a function of the task is asked with the attempt and its error", async () => {
    const asked: unknown[] = [];
    await using app = memoryApp();
    const backoff = (attempt: number, error: unknown) => {
      asked.push([attempt, (error as Error).message]);
      return 0;
    };
    const fail = app.task("fail", { attempts: 3, backoff }, () => {
      throw new Error(`run ${currentJob().attempt}`);
    });
    await fail.enqueue();
    await app.drain();
    expect(asked).toEqual([
      [1, "run 1"],
      [2, "run 2"],
    ]);
  });

  test.each([
    [
      "throws",
      () => {
        throw new Error("policy");
      },
    ],
    ["answers nonsense", () => "whenever" as never],
  ] as const)("a function that %s ends the job with the handler's error", async (_, backoff) => {
    await using app = memoryApp({ logger: { debug() {}, info() {}, warn() {}, error() {} } });
    const job = await app
      .task("fail", { attempts: 3, backoff }, () => {
        throw new Error("handler");
      })
      .enqueue();
    expect(await app.drain()).toMatchObject({ retried: 0, dead: 1 });
    await expect(job.result()).rejects.toThrow("handler");
  });

  const policies: [JobOptions["backoff"], number[]][] = [
    ["2s", [2000, 2000, 2000, 2000]],
    [{ type: "fixed", delay: 500 }, [500, 500, 500, 500]],
    [{ type: "linear", delay: "1s" }, [1000, 2000, 3000, 4000]],
    [{ type: "linear", delay: "1s", max: "2.5s" }, [1000, 2000, 2500, 2500]],
    [{ type: "exponential", delay: "1s" }, [1000, 2000, 4000, 8000]],
    [{ type: "exponential", delay: "1s", factor: 3, max: "10s" }, [1000, 3000, 9000, 10_000]],
  ];
  test.each(policies)("%o waits to the millisecond, per task and per call", async (backoff, delays) => {
    const clock = new FakeClock(start);
    await using app = memoryApp({ clock });
    const runs: Record<string, number[]> = { task: [], call: [] };
    const run = (name: string) => {
      runs[name]?.push(clock.now());
      throw new Error("again");
    };
    const byTask = app.task("by-task", { attempts: 5, ...(backoff !== undefined && { backoff }) }, run);
    const byCall = app.task("by-call", run).with({ attempts: 5, ...(backoff !== undefined && { backoff }) });
    await using worker = app.worker();
    await worker.start();
    await byTask.enqueue("task");
    await byCall.enqueue("call");
    await clock.advance("1m");
    for (const times of Object.values(runs)) {
      expect(times.slice(1).map((time, index) => time - (times[index] ?? 0))).toEqual(delays);
    }
  });

  test("jitter is drawn from the injected random numbers", async () => {
    const clock = new FakeClock(start);
    await using app = memoryApp({ clock, random: () => 0.75 });
    const delays: number[] = [];
    app.on("job:retrying", ({ delay }) => delays.push(delay));
    app.task("fail", { attempts: 3, backoff: { type: "fixed", delay: 1000, jitter: 0.2 } }, () => {
      throw new Error("again");
    });
    await using worker = app.worker();
    await worker.start();
    await app.send("fail");
    await clock.advance("5s");
    expect(delays).toEqual([1100, 1100]);
  });
});
