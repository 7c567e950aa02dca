import { CancelledError, currentJob, DeadLetter, Discard, Retry, Snooze } from "taskwright";
import { FakeClock } from "taskwright/testing";
import { describe, expect, test } from "vitest";
import { memoryApp } from "./support.js";

const SILENT = { debug() {}, info() {}, warn() {}, error() {} };

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
