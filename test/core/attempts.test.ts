import fc from "fast-check";
import { currentJob, RemoteError, Retry, TaskHandler, type TaskOptions } from "taskwright";
import { FakeClock } from "taskwright/testing";
import { describe, expect, test } from "vitest";
import { aborted, memoryApp, nextEvent } from "./support.js";

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
