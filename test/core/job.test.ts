import { currentJob, Taskwright } from "taskwright";
import { memory } from "taskwright/drivers/memory";
import { FakeClock } from "taskwright/testing";
import { describe, expect, test } from "vitest";
import { deferred, memoryApp, nextEvent } from "./support.js";

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
