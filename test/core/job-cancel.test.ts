import { CancelledError, currentJob, Taskwright } from "taskwright";
import { memory } from "taskwright/drivers/memory";
import { sqlite } from "taskwright/drivers/sqlite";
import { FakeClock } from "taskwright/testing";
import { describe, expect, onTestFinished, test } from "vitest";
import { temporaryFolder } from "../support/temporary.js";
import { aborted, deferred, memoryApp, nextEvent } from "./support.js";

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
