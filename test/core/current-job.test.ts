import { ConfigError, type CurrentJob, currentJob } from "taskwright";
import { FakeClock } from "taskwright/testing";
import { describe, expect, test } from "vitest";
import { deferred, memoryApp, RecordingLogger } from "./support.js";

describe("currentJob()", () => {
  test("outside of a task it throws", () => {
    expect(() => currentJob()).toThrow(new ConfigError("currentJob() was called outside of a task"));
  });

  test("tells all about the job that runs", async () => {
    const clock = new FakeClock(new Date("2027-01-01T00:00:00Z"));
    await using app = memoryApp({ clock });
    let seen: Record<string, unknown> = {};
    const look = app.task("look", { attempts: 4, queue: "q", labels: { task: "t", both: "task" } }, () => {
      const { id, task, queue, attempt, attempts, labels, enqueuedAt, parentId, rootId, signal } = currentJob();
      seen = { id, task, queue, attempt, attempts, labels, enqueuedAt, parentId, rootId, aborted: signal.aborted };
    });
    const job = await look.with({ labels: { both: "call", call: 1 } }).enqueue();
    await clock.advance("5s");
    await app.drain();
    expect(seen).toEqual({
      id: job.id,
      task: "look",
      queue: "q",
      attempt: 1,
      attempts: 4,
      labels: { task: "t", both: "call", call: 1 },
      enqueuedAt: new Date("2027-01-01T00:00:00Z"),
      parentId: undefined,
      rootId: job.id,
      aborted: false,
    });
  });

  test("belongs to its own handler, however many run at once, also after awaiting", async () => {
    await using app = memoryApp();
    const all = deferred();
    let running = 0;
    const look = app.task("look", async (n: number) => {
      const before = currentJob().id;
      if (++running === 50) all.resolve();
      await all.promise;
      await new Promise((resolve) => setImmediate(resolve));
      return [n, before === currentJob().id];
    });
    const jobs = await look.enqueueMany(Array.from({ length: 50 }, (_, n) => [n]));
    await using worker = app.worker();
    await worker.start();
    const results = await Promise.all(jobs.map((job) => job.result()));
    expect(results).toEqual(Array.from({ length: 50 }, (_, n) => [n, true]));
    expect(() => currentJob()).toThrow(ConfigError);
  });

  test("of an inline call within a job is the call's, and the job's again afterwards", async () => {
    await using app = memoryApp();
    const inner = app.task("inner", () => currentJob());
    const outer = app.task("outer", () => {
      const own = currentJob();
      const called = inner();
      return {
        names: [own.task, called.task, currentJob().task],
        parent: called.parentId === own.id,
        root: called.rootId === own.rootId,
        signal: called.signal === own.signal,
      };
    });
    const job = await outer.enqueue();
    await app.drain();
    expect(await job.result()).toEqual({
      names: ["outer", "inner", "outer"],
      parent: true,
      root: true,
      signal: true,
    });
  });

  test("its logger's lines carry the job", async () => {
    const logger = new RecordingLogger();
    await using app = memoryApp({ logger });
    const job = await app.task("say", () => currentJob().logger.info({ own: 1 }, "hello")).enqueue();
    await app.drain();
    expect(logger.lines).toContainEqual({
      level: "info",
      fields: { job: job.id, task: "say", attempt: 1, own: 1 },
      message: "hello",
    });
  });

  test("extend() renews the lease, and says so when it is lost", async () => {
    const clock = new FakeClock();
    await using app = memoryApp({ clock });
    const [started, goOn] = [deferred<CurrentJob>(), deferred()];
    const hold = app.task("hold", async () => {
      started.resolve(currentJob());
      await goOn.promise;
    });
    const worker = app.worker({ lease: "30s", heartbeat: "10s" });
    await worker.start();
    await hold.enqueue();
    const job = await started.promise;
    expect(await job.extend()).toBe(true);
    await worker.stop({ grace: 0 });
    expect(await job.extend()).toBe(false);
    goOn.resolve();
  });
});

describe("lineage", () => {
  test("is recorded over three levels, through enqueue, enqueueMany, send and signatures", async () => {
    await using app = memoryApp();
    const seen: Record<string, { id: string; parentId: string | undefined; rootId: string }> = {};
    const note = (name: string) => {
      const { id, parentId, rootId } = currentJob();
      seen[name] = { id, parentId, rootId };
    };
    const leaf = app.task("leaf", (name: string) => note(name));
    const branch = app.task("branch", async () => {
      note("branch");
      await leaf.enqueue("by enqueue");
      await leaf.enqueueMany([["by enqueueMany"]]);
      await leaf.s("by signature").enqueue();
      await app.send("leaf", { args: ["by send"] });
    });
    const root = app.task("root", async () => {
      note("root");
      await branch.enqueue();
    });
    const job = await root.enqueue();
    await app.drain();
    const leaves = ["by enqueue", "by enqueueMany", "by signature", "by send"];
    expect(Object.keys(seen).sort()).toEqual([...leaves, "branch", "root"].sort());
    expect(seen.root).toEqual({ id: job.id, parentId: undefined, rootId: job.id });
    expect(seen.branch).toMatchObject({ parentId: job.id, rootId: job.id });
    for (const name of leaves) expect(seen[name]).toMatchObject({ parentId: seen.branch?.id, rootId: job.id });
  });

  test("is the same for each attempt of a job", async () => {
    await using app = memoryApp();
    const seen = new Set<string | undefined>();
    const child = app.task("child", { attempts: 3, backoff: 0 }, () => {
      seen.add(currentJob().parentId);
      throw new Error("again");
    });
    const job = await app.task("parent", async () => void (await child.enqueue())).enqueue();
    await app.drain();
    expect([...seen]).toEqual([job.id]);
  });
});
