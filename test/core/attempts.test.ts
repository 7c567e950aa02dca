import fc from "fast-check";
import {
  CancelledError,
  currentJob,
  DeadLetter,
  Discard,
  RemoteError,
  Retry,
  Snooze,
  TaskHandler,
  type TaskOptions,
  TimeoutError,
} from "taskwright";
import { FakeClock } from "taskwright/testing";
import { describe, expect, test } from "vitest";
import { aborted, deferred, memoryApp, nextEvent, recordEvents } from "./support.js";

const SILENT = { debug() {}, info() {}, warn() {}, error() {} };

/** The ways in which an attempt can fail, by name. */
const FAILURES: Record<string, () => unknown> = {
  "throws an Error": () => {
    throw new Error("no");
  },
  "throws text": () => {
    throw "no";
  },
  "throws undefined": () => {
    throw undefined;
  },
  "throws null": () => {
    throw null;
  },
  "throws a symbol": () => {
    throw Symbol("no");
  },
  "throws a function": () => {
    throw () => 1;
  },
  "throws an error with a getter that throws": () => {
    throw Object.defineProperty(new Error("no"), "detail", {
      enumerable: true,
      get() {
        throw new Error("worse");
      },
    });
  },
  "throws an error that is its own cause": () => {
    const error = new Error("no");
    error.cause = error;
    throw error;
  },
  "throws an object with a getter that throws": () => {
    throw {
      get detail() {
        throw new Error("worse");
      },
    };
  },
  "throws a proxy that always throws": () => {
    const refuse = () => {
      throw new Error("worse");
    };
    throw new Proxy({}, { get: refuse, getPrototypeOf: refuse, ownKeys: refuse });
  },
  "throws an error without a message": () => {
    throw Object.defineProperty(new Error("no"), "message", { value: undefined });
  },
  rejects: () => Promise.reject(new Error("no")),
  "rejects with nothing": () => Promise.reject(),
  "asks for a retry": () => {
    throw new Retry({ delay: 0 });
  },
  "rejects with a retry": () => Promise.reject(new Retry()),
  "takes too long": () => aborted(currentJob().signal),
  "aborts by itself": () => {
    throw new DOMException("no", "AbortError");
  },
};

describe("attempts: n is exactly n runs", () => {
  test("for every n and every way of failing, from the task's options or the call's", async () => {
    const way = fc.constantFrom(...Object.keys(FAILURES));
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 6 }),
        fc.array(way, { minLength: 6, maxLength: 6 }),
        fc.boolean(),
        async (n, ways, byCall) => {
          const clock = new FakeClock();
          await using app = memoryApp({ clock, logger: SILENT });
          const runs: number[] = [];
          const limits = new Set<number>();
          const options: TaskOptions = { attempts: n, backoff: 0, timeout: "1s" };
          const handler = () => {
            const { attempt, attempts } = currentJob();
            runs.push(attempt);
            limits.add(attempts);
            return FAILURES[ways[attempt - 1] ?? ""]?.();
          };
          const fail = byCall ? app.task("fail", handler).with(options as object) : app.task("fail", options, handler);
          await using worker = app.worker();
          await worker.start();
          const ended = nextEvent(worker, "job:dead");
          const job = await fail.enqueue();
          await clock.advance("30s");
          expect(await ended).toMatchObject({ attempt: n, reason: "failed" });
          expect(runs).toEqual(Array.from({ length: n }, (_, index) => index + 1));
          expect([...limits]).toEqual([n]);
          expect(await job.state()).toBe("dead");
          expect((await job.attempts()).map(({ attempt }) => attempt)).toEqual(runs);
          expect(worker.stats).toMatchObject({ retried: n - 1, dead: 1, active: 0 });
        },
      ),
      { numRuns: 60 },
    );
  });

  test("also where the hooks before the handler throw", async () => {
    await using app = memoryApp();
    let asked = 0;
    app.use({
      preExecute() {
        asked += 1;
        throw new Error("not today");
      },
    });
    let runs = 0;
    const job = await app.task("t", { attempts: 4, backoff: 0 }, () => void runs++).enqueue();
    expect(await app.drain()).toMatchObject({ retried: 3, dead: 1 });
    expect([asked, runs]).toEqual([4, 0]);
    await expect(job.result()).rejects.toThrow("not today");
  });

  test("a job that succeeds in the end is completed, and its result is the last run's", async () => {
    await using app = memoryApp();
    const third = app.task("third", { attempts: 3, backoff: 0 }, () => {
      if (currentJob().attempt < 3) throw new Error("not yet");
      return currentJob().attempt;
    });
    const job = await third.enqueue();
    expect(await app.drain()).toEqual({ completed: 1, retried: 2, dead: 0, cancelled: 0 });
    expect(await job.result()).toBe(3);
  });

  test("the result of a job that is retried is not its first error", async () => {
    await using app = memoryApp();
    const second = app.task("second", { attempts: 2, backoff: 0 }, () => {
      if (currentJob().attempt === 1) throw new Error("not yet");
      return "done";
    });
    const job = await second.enqueue();
    const waiting = job.result();
    await app.drain();
    expect(await waiting).toBe("done");
  });
});

describe("Retry", () => {
  test("waits for its delay, and else for the task's backoff", async () => {
    const clock = new FakeClock();
    await using app = memoryApp({ clock });
    const delays: number[] = [];
    app.on("job:retrying", ({ delay }) => delays.push(delay));
    app.task("t", { attempts: 4, backoff: "7s" }, () => {
      const { attempt } = currentJob();
      if (attempt === 1) throw new Retry({ delay: "30s" });
      if (attempt === 2) throw new Retry({ cause: new Error("why") });
      if (attempt === 3) throw new Retry({ delay: 0 });
      return attempt;
    });
    await using worker = app.worker();
    await worker.start();
    const job = await app.send("t");
    await clock.advance("1m");
    expect(delays).toEqual([30_000, 7000, 0]);
    expect(await job.result()).toBe(4);
  });

  test("keeps its message and cause in the history, and on the last attempt ends the job", async () => {
    await using app = memoryApp();
    const job = await app
      .task("t", { attempts: 1 }, () => {
        throw new Retry({ message: "the printer is out of paper", cause: new Error("E_PAPER") });
      })
      .enqueue();
    expect(await app.drain()).toMatchObject({ dead: 1 });
    const [attempt] = await job.attempts();
    expect(attempt?.error.message).toBe("the printer is out of paper");
    expect(attempt?.error.cause).toMatchObject({ message: "E_PAPER" });
  });

  test("with a delay that is none, ends the job", async () => {
    await using app = memoryApp({ logger: SILENT });
    await app
      .task("t", () => {
        throw new Retry({ delay: "soonish" as never });
      })
      .enqueue();
    expect(await app.drain()).toMatchObject({ dead: 1 });
  });
});

describe("Snooze", () => {
  test("comes back later without consuming an attempt, for as long as it takes", async () => {
    const clock = new FakeClock();
    await using app = memoryApp({ clock });
    const runs: [number, number][] = [];
    let ready = false;
    const wait = app.task("wait", { attempts: 1 }, () => {
      runs.push([currentJob().attempt, clock.now()]);
      if (!ready) throw new Snooze("1m");
      return "ready";
    });
    await using worker = app.worker();
    await worker.start();
    const job = await wait.enqueue();
    await clock.advance("50m");
    expect(runs).toHaveLength(51);
    expect(new Set(runs.map(([attempt]) => attempt))).toEqual(new Set([1]));
    expect(runs.slice(1).map(([, at], index) => at - (runs[index]?.[1] ?? 0))).toEqual(Array(50).fill(60_000));
    expect(await job.state()).toBe("scheduled");
    expect(await job.attempts()).toEqual([]);
    ready = true;
    await clock.advance("1m");
    expect(await job.result()).toBe("ready");
    expect(worker.stats).toMatchObject({ completed: 1, retried: 0, dead: 0, released: 51 });
  });

  test("leaves what failed before counted", async () => {
    const clock = new FakeClock();
    await using app = memoryApp({ clock });
    const seen: number[] = [];
    const t = app.task("t", { attempts: 2, backoff: 0 }, () => {
      seen.push(currentJob().attempt);
      if (seen.length === 1) throw new Error("failed");
      if (seen.length === 2) throw new Snooze("1s");
      throw new Error("failed again");
    });
    await using worker = app.worker();
    await worker.start();
    const job = await t.enqueue();
    await clock.advance("5s");
    expect(seen).toEqual([1, 2, 2]);
    expect(await job.state()).toBe("dead");
    expect((await job.attempts()).map(({ attempt }) => attempt)).toEqual([1, 2]);
  });
});

describe("Discard and DeadLetter", () => {
  test("Discard cancels the job at once, without a dead letter", async () => {
    await using app = memoryApp();
    const job = await app
      .task("t", { attempts: 5 }, () => {
        throw new Discard("the account was closed");
      })
      .enqueue();
    expect(await app.drain()).toMatchObject({ cancelled: 1, retried: 0, dead: 0 });
    expect(await job.state()).toBe("cancelled");
    const error = await job.result().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(CancelledError);
    expect(error).toMatchObject({ message: "the account was closed" });
    expect((await app.inspect.jobs({ state: "dead" })).jobs).toEqual([]);
  });

  test("DeadLetter goes to the dead letters at once, with its reason", async () => {
    await using app = memoryApp();
    const job = await app
      .task("t", { attempts: 5 }, () => {
        throw new DeadLetter("no such invoice", { cause: new Error("404") });
      })
      .enqueue();
    expect(await app.drain()).toMatchObject({ dead: 1, retried: 0 });
    const [dead] = (await app.inspect.jobs({ state: "dead" })).jobs;
    expect(dead).toMatchObject({ id: job.id, reason: "rejected", attempt: 1 });
    expect(dead?.attempts[0]?.error.message).toBe("no such invoice");
    await expect(job.result()).rejects.toThrow("no such invoice");
  });

  test("decisions are no errors of the class they look like", async () => {
    expect(new Retry()).not.toBeInstanceOf(Snooze);
    expect(new Snooze(1)).not.toBeInstanceOf(Retry);
    expect(new Discard()).toBeInstanceOf(Error);
  });
});

describe("which errors are retried", () => {
  class Temporary extends Error {}
  class Throttled extends Temporary {}
  class Permanent extends Error {}

  const policies: [string, TaskOptions["retryOn"], { temporary: number; throttled: number; permanent: number }][] = [
    ["any, by default", undefined, { temporary: 3, throttled: 3, permanent: 3 }],
    ["a class and those that extend it", Temporary, { temporary: 3, throttled: 3, permanent: 1 }],
    ["the base of all errors", Error, { temporary: 3, throttled: 3, permanent: 3 }],
    ["several classes", [Throttled, Permanent], { temporary: 1, throttled: 3, permanent: 3 }],
    ["none of no classes", [], { temporary: 1, throttled: 1, permanent: 1 }],
    ["a predicate", (error) => error instanceof Permanent, { temporary: 1, throttled: 1, permanent: 3 }],
    ["a predicate of the attempt", (_, attempt) => attempt < 2, { temporary: 2, throttled: 2, permanent: 2 }],
  ];
  test.each(policies)("%s", async (_, retryOn, expected) => {
    await using app = memoryApp();
    const counts: Record<string, number> = { temporary: 0, throttled: 0, permanent: 0 };
    const classes = { temporary: Temporary, throttled: Throttled, permanent: Permanent };
    const fail = app.task("fail", { backoff: 0, ...(retryOn && { retryOn }) }, (kind: keyof typeof classes) => {
      counts[kind] = (counts[kind] ?? 0) + 1;
      throw new classes[kind]("no");
    });
    await fail.enqueueMany([["temporary"], ["throttled"], ["permanent"]]);
    await app.drain();
    expect(counts).toEqual(expected);
  });

  test("a predicate that throws ends the job", async () => {
    await using app = memoryApp({ logger: SILENT });
    const retryOn = (): boolean => {
      throw new Error("policy");
    };
    const job = await app.task("fail", { retryOn }, () => Promise.reject(new Error("handler"))).enqueue();
    expect(await app.drain()).toMatchObject({ dead: 1 });
    await expect(job.result()).rejects.toThrow("handler");
  });

  test("shouldRetry() is stronger than retryOn", async () => {
    class Fails extends TaskHandler<[], void> {
      handle() {
        throw new Permanent("no");
      }
      override shouldRetry(error: Error) {
        return error instanceof Permanent;
      }
    }
    await using app = memoryApp();
    await app.task("fails", { attempts: 2, backoff: 0, retryOn: Temporary }, Fails).enqueue();
    expect(await app.drain()).toMatchObject({ retried: 1, dead: 1 });
  });

  test("Retry asks for another attempt whatever the policy", async () => {
    await using app = memoryApp();
    const t = app.task("t", { attempts: 2, retryOn: [] }, () => {
      throw new Retry({ delay: 0 });
    });
    await t.enqueue();
    expect(await app.drain()).toMatchObject({ retried: 1, dead: 1 });
  });
});

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

test("an error keeps its name, message, cause and own data over the wire", async () => {
  await using app = memoryApp();
  class Declined extends Error {
    override name = "Declined";
    constructor(readonly code: number) {
      super(`declined with ${code}`, { cause: new TypeError("deeper") });
    }
  }
  const job = await app.task("t", { attempts: 1 }, () => Promise.reject(new Declined(51))).enqueue();
  await app.drain();
  const error = (await job.result().catch((thrown: unknown) => thrown)) as RemoteError;
  expect(error).toBeInstanceOf(RemoteError);
  expect(error).toMatchObject({ name: "Declined", message: "declined with 51", data: { code: 51 } });
  expect(error.cause).toMatchObject({ name: "TypeError", message: "deeper" });
});
