import { currentJob, Retry, Taskwright, UnsupportedError } from "taskwright";
import { memory } from "taskwright/drivers/memory";
import { FakeClock } from "taskwright/testing";
import { describe, expect, test } from "vitest";
import { deferred, memoryApp, tapped } from "./support.js";

describe("inline mode", () => {
  const inlineApp = () => new Taskwright({ broker: memory({ inline: true }) });

  test("enqueue resolves when the job has ended, without a worker", async () => {
    await using app = inlineApp();
    const ran: string[] = [];
    const t = app.task("t", async (name: string) => {
      await new Promise((resolve) => setImmediate(resolve));
      ran.push(name);
      return name;
    });
    const job = await t.enqueue("a");
    expect(ran).toEqual(["a"]);
    expect([await job.state(), await job.result()]).toEqual(["completed", "a"]);
    await t.enqueueMany([["b"], ["c"]]);
    expect(ran.sort()).toEqual(["a", "b", "c"]);
  });

  test("calls made at once resolve each when its own job has ended", async () => {
    await using app = inlineApp();
    const goOn = deferred();
    const t = app.task("t", async (slow: boolean) => {
      if (slow) await goOn.promise;
    });
    const order: string[] = [];
    const slow = t.enqueue(true).then(async (job) => order.push(`slow ${await job.state()}`));
    const quick = t.enqueue(false).then(async (job) => order.push(`quick ${await job.state()}`));
    const more = Promise.all(Array.from({ length: 50 }, () => t.enqueue(true)));
    setImmediate(() => setImmediate(() => setImmediate(goOn.resolve)));
    await Promise.all([slow, quick]);
    expect(order.sort()).toEqual(["quick completed", "slow completed"]);
    const states = await Promise.all((await more).map((job) => job.state()));
    expect(new Set(states)).toEqual(new Set(["completed"]));
  });

  test("a job that fails rejects nothing but its result", async () => {
    await using app = inlineApp();
    let runs = 0;
    const t = app.task("t", { attempts: 3, backoff: 0 }, () => {
      runs += 1;
      throw new Error("no");
    });
    const job = await t.enqueue();
    expect(runs).toBe(3);
    expect(await job.state()).toBe("dead");
    await expect(job.result()).rejects.toThrow("no");
  });

  test("a job enqueued inside a job has ended when its enqueue resolves, three levels deep", async () => {
    await using app = inlineApp();
    const order: string[] = [];
    const leaf = app.task("leaf", async () => void order.push("leaf"));
    const branch = app.task("branch", async () => {
      await leaf.enqueue();
      order.push("branch");
    });
    const root = app.task("root", async () => {
      const job = await branch.enqueue();
      order.push(`root: branch is ${await job.state()}`);
      return currentJob().task;
    });
    expect(await root.enqueue().result()).toBe("root");
    expect(order).toEqual(["leaf", "branch", "root: branch is completed"]);
  });

  test("a job that enqueues its own id again is answered with the duplicate, and does not wait for itself", async () => {
    await using app = inlineApp();
    const again = app.remoteTask<[], boolean>("self").with({ id: "self" });
    app.task("self", async () => (await again.enqueue()).duplicate);
    expect(await again.enqueue().result()).toBe(true);
  });

  test("what is delayed is left for later", async () => {
    const clock = new FakeClock();
    await using app = new Taskwright({ broker: memory({ inline: true }), clock });
    const t = app.task("t", () => {
      if (currentJob().attempt === 1) throw new Retry({ delay: "1m" });
      return "done";
    });
    const [delayed, retried] = [await t.with({ delay: "1h" }).enqueue(), await t.enqueue()];
    expect([await delayed.state(), await retried.state()]).toEqual(["scheduled", "retrying"]);
    await clock.advance("1m");
    await app.drain();
    expect(await retried.result()).toBe("done");
  });

  test("by URL, with queues and a context as anywhere", async () => {
    await using app = new Taskwright({ broker: "memory:?inline=true", context: () => ({ factor: 10 }) });
    const t = app.task("t", { queue: "q" }, (n: number) => n * app.context.factor);
    expect(await t.enqueue(4).result()).toBe(40);
  });
});

describe("drain()", () => {
  test("runs what is due in all queues, with what that enqueues, and reports what became of it", async () => {
    const clock = new FakeClock();
    await using app = memoryApp({ clock });
    const t = app.task("t", { attempts: 2, backoff: 0 }, async (depth: number) => {
      if (depth > 0) await t.with({ queue: `q${depth}` }).enqueue(depth - 1);
    });
    const fail = app.task("fail", { attempts: 2, backoff: 0 }, () => Promise.reject(new Error("no")));
    const later = app.task("later", { attempts: 2, backoff: "1h" }, () => Promise.reject(new Error("no")));
    const unwanted = app.task("unwanted", { expires: 5 }, () => 1);
    await t.enqueue(4);
    await fail.with({ queue: "other" }).enqueue();
    await later.enqueue();
    await unwanted.enqueue();
    const scheduled = await t.with({ delay: "1m" }).enqueue(0);
    await clock.advance(5);
    expect(await app.drain()).toEqual({ completed: 5, retried: 2, dead: 1, cancelled: 1 });
    expect(await scheduled.state()).toBe("scheduled");
    expect(await app.drain()).toEqual({ completed: 0, retried: 0, dead: 0, cancelled: 0 });
  });

  test("leaves paused queues alone", async () => {
    await using app = memoryApp();
    const job = await app.task("t", () => 1).enqueue();
    await app.inspect.pause("default");
    expect(await app.drain()).toMatchObject({ completed: 0 });
    expect(await job.state()).toBe("waiting");
  });

  test("ten thousand jobs", async () => {
    await using app = memoryApp();
    const add = app.task("add", (a: number, b: number) => a + b);
    const jobs = await add.enqueueMany(Array.from({ length: 10_000 }, (_, n) => [n, 1]));
    expect(await app.drain()).toMatchObject({ completed: 10_000 });
    const results = await Promise.all(jobs.map((job) => job.result()));
    expect(results).toEqual(Array.from({ length: 10_000 }, (_, n) => n + 1));
    expect(await app.inspect.queues()).toEqual([]);
  });

  test("on a driver that nobody can look into, says so", async () => {
    const place = memory();
    await using app = new Taskwright({
      broker: {
        ...place,
        connect: async (environment) => {
          const { inspector: _, ...rest } = await place.connect(environment);
          return rest;
        },
      },
    });
    await expect(app.drain()).rejects.toThrow(UnsupportedError);
  });
});

describe("places", () => {
  test("each driver value has jobs of its own, a name shares them within the process", async () => {
    await using one = new Taskwright({ broker: "memory:" });
    await using other = new Taskwright({ broker: "memory:" });
    await one.send("t");
    expect(await other.inspect.queues()).toEqual([]);
    await using named = new Taskwright({ broker: "memory://core-places" });
    await using same = new Taskwright({ broker: memory({ name: "core-places" }) });
    same.task("t", () => "shared");
    const job = await named.send("t");
    await same.drain();
    expect(await job.result()).toBe("shared");
  });

  test("jobs outlive the connection: a closed app finds them when it opens again", async () => {
    await using app = memoryApp();
    const t = app.task("t", () => "still here");
    const { id } = await t.enqueue();
    await app.close();
    await app.drain();
    expect(await app.job(id).result()).toBe("still here");
  });
});

test("maxStoredResults: the oldest results make room, and their jobs are then unknown", async () => {
  await using app = new Taskwright({ broker: memory({ maxStoredResults: 3 }) });
  const t = app.task("t", (n: number) => n);
  const jobs = [];
  for (let n = 0; n < 5; n++) {
    jobs.push(await t.enqueue(n));
    await app.drain();
  }
  expect(await Promise.all(jobs.map((job) => job.state()))).toEqual([
    "unknown",
    "unknown",
    "completed",
    "completed",
    "completed",
  ]);
  expect(await jobs[4]?.result()).toBe(4);
});

test("a result is told to whoever waits although there is no room to keep it", async () => {
  await using app = new Taskwright({ broker: memory({ maxStoredResults: 0 }) });
  const job = await app.task("t", () => "x").enqueue();
  const waiting = job.result();
  await app.drain();
  expect(await waiting).toBe("x");
  expect(await job.state()).toBe("unknown");
});

test("results wait in one batch of reads for all who ask at once", async () => {
  const reads: number[] = [];
  const driver = tapped(memory(), (call, next) => {
    if (call.contract === "backend" && call.method === "read") reads.push((call.args[0] as string[]).length);
    return next();
  });
  await using app = new Taskwright({ broker: driver });
  const t = app.task("t", (n: number) => n);
  const jobs = await t.enqueueMany(Array.from({ length: 500 }, (_, n) => [n]));
  await app.drain();
  expect(await Promise.all(jobs.map((job) => job.result()))).toHaveLength(500);
  expect(reads).toEqual([500]);
});
