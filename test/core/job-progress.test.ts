import { currentJob, Taskwright } from "taskwright";
import { sqlite } from "taskwright/drivers/sqlite";
import { FakeClock } from "taskwright/testing";
import { describe, expect, onTestFinished, test } from "vitest";
import { temporaryFolder } from "../support/temporary.js";
import { deferred, memoryApp } from "./support.js";

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
