import { currentJob, Taskwright } from "taskwright";
import { memory } from "taskwright/drivers/memory";
import { FakeClock } from "taskwright/testing";
import { describe, expect, test } from "vitest";
import { Pace } from "../../src/worker/pace.js";
import { until } from "../support/until.js";
import { deferred, memoryApp, seededRandom, tapped } from "./support.js";

describe("concurrency", () => {
  test.each([1, 3, 100])("no more than %i handlers run at once, and all slots are used", async (concurrency) => {
    await using app = memoryApp();
    let running = 0;
    let most = 0;
    const full = deferred();
    const t = app.task("t", async () => {
      most = Math.max(most, ++running);
      if (running === concurrency) full.resolve();
      await full.promise;
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
    });
    const jobs = await t.enqueueMany(Array.from({ length: 500 }, () => []));
    await using worker = app.worker({ concurrency });
    await worker.start();
    await Promise.all(jobs.map((job) => job.result()));
    expect(most).toBe(concurrency);
    await worker.stop();
    expect(worker.stats).toMatchObject({ completed: 500, active: 0, prefetched: 0 });
  });

  test("each attempt has a slot of its own, whether it succeeds, fails or is put off", async () => {
    const clock = new FakeClock();
    await using app = memoryApp({ clock });
    let running = 0;
    let most = 0;
    const t = app.task("t", { attempts: 3, backoff: "1s", timeout: "5s" }, async (n: number) => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
      if (currentJob().attempt <= n % 4) throw new Error("again");
    });
    await t.enqueueMany(Array.from({ length: 40 }, (_, n) => [n]));
    await using worker = app.worker({ concurrency: 4 });
    await worker.start();
    await clock.advance("1m");
    expect(most).toBe(4);
    expect(worker.stats).toMatchObject({ completed: 30, dead: 10, active: 0 });
  });

  test("a thousand synchronous handlers let timers and sockets have their turn", async () => {
    await using app = memoryApp();
    let done = 0;
    const seen: number[] = [];
    const t = app.task("t", () => {
      const until = performance.now() + 0.2;
      while (performance.now() < until);
      done += 1;
    });
    const jobs = await t.enqueueMany(Array.from({ length: 1000 }, () => []));
    await using worker = app.worker({ concurrency: 1000 });
    const ticker = setInterval(() => seen.push(done), 1);
    await worker.start();
    await Promise.all(jobs.map((job) => job.result()));
    clearInterval(ticker);
    expect(seen.filter((n) => n > 0 && n < 1000).length).toBeGreaterThan(3);
  });
});

describe("prefetch", () => {
  /** What a worker asks for and holds while its only slot is taken. */
  async function held(prefetch: number) {
    const asked: number[] = [];
    const driver = tapped(memory(), (call, next) => {
      if (call.method === "claim") asked.push((call.args[0] as { max: number }).max);
      return next();
    });
    const app = new Taskwright({ broker: driver });
    const [started, goOn] = [deferred(), deferred()];
    const t = app.task("t", async () => {
      started.resolve();
      await goOn.promise;
    });
    await t.enqueueMany(Array.from({ length: 10 }, () => []));
    const worker = app.worker({ concurrency: 1, prefetch });
    await worker.start();
    await started.promise;
    const counts = (await app.inspect.queues())[0]?.counts;
    const stats = worker.stats;
    goOn.resolve();
    await app.close();
    return { first: asked[0], counts, stats };
  }

  test("0 fetches only what can start now", async () => {
    const { first, counts, stats } = await held(0);
    expect(first).toBe(1);
    expect(counts).toMatchObject({ active: 1, waiting: 9 });
    expect(stats).toMatchObject({ active: 1, prefetched: 0 });
  });

  test("n holds n beside the running ones, and fetches them by halves", async () => {
    const { first, counts, stats } = await held(4);
    expect(first).toBe(3);
    expect(counts).toMatchObject({ active: 5, waiting: 5 });
    expect(stats).toMatchObject({ active: 1, prefetched: 4 });
  });
});

describe("claiming ahead", () => {
  test("is given up when the pace changes: others get what does not start", async () => {
    const app = memoryApp();
    const [started, goOn] = [deferred(), deferred()];
    const quick = app.task("quick", () => {});
    const long = app.task("long", async () => {
      started.resolve();
      await goOn.promise;
    });
    const before = await quick.enqueueMany(Array.from({ length: 20_000 }, () => []));
    const [blocking] = await long.enqueueMany([[]]);
    const behind = await quick.enqueueMany(Array.from({ length: 2000 }, () => []));
    const worker = app.worker({ concurrency: 1 });
    await worker.start();
    await started.promise;
    expect(worker.stats.prefetched).toBeGreaterThan(0);
    await until("all that waits to be there for others", async () => {
      const counts = (await app.inspect.queues())[0]?.counts;
      return counts?.active === 1 && counts.waiting === behind.length ? true : undefined;
    });
    expect(worker.stats.released).toBeGreaterThan(0);
    goOn.resolve();
    await Promise.all([...before, blocking, ...behind].map((job) => job?.result()));
    await worker.stop();
    expect(worker.stats.completed).toBe(before.length + 1 + behind.length);
    await app.close();
  });

  test("is for jobs of some milliseconds in all", async () => {
    const clock = new FakeClock();
    const pace = new Pace(clock);
    expect(pace.ahead).toBe(0);
    for (let job = 0; job < 20; job++) pace.ended();
    await clock.advance(4);
    expect(pace.ahead).toBe(0);
    await clock.advance(6);
    expect(pace.ahead).toBe(20);
    for (let job = 0; job < 100_000; job++) pace.ended();
    await clock.advance(10);
    expect(pace.ahead).toBe(500);
    pace.ended();
    await clock.advance("1s");
    expect(pace.ahead).toBe(0);
  });
});

describe("order", () => {
  /** The order in which a worker with one slot runs jobs that all wait before it starts. */
  async function runOrder(
    options: Parameters<Taskwright["worker"]>[0],
    jobs: [queue: string, count: number][],
    seed = 1,
  ) {
    const app = memoryApp({ random: seededRandom(seed) });
    const ran: string[] = [];
    const t = app.task("t", () => void ran.push(currentJob().queue));
    const sent = [];
    for (const [queue, count] of jobs) {
      sent.push(...(await t.with({ queue }).enqueueMany(Array.from({ length: count }, () => []))));
    }
    const worker = app.worker({ concurrency: 1, prefetch: 0, ...options });
    await worker.start();
    await Promise.all(sent.map((job) => job.result()));
    await app.close();
    return ran;
  }

  test("strict drains queues one after another, as they are listed", async () => {
    const ran = await runOrder({ queues: ["b", "a"] }, [
      ["a", 20],
      ["b", 20],
    ]);
    expect(ran).toEqual([...Array(20).fill("b"), ...Array(20).fill("a")]);
  });

  test("weights are honoured: three to one, and the lighter queue is not starved", async () => {
    const ran = await runOrder({ queues: { heavy: 3, light: 1 } }, [
      ["heavy", 600],
      ["light", 600],
    ]);
    const heavy = ran.slice(0, 600).filter((queue) => queue === "heavy").length;
    expect(heavy).toBeGreaterThan(400);
    expect(heavy).toBeLessThan(500);
    const gaps = ran
      .slice(0, 600)
      .join(",")
      .split("light")
      .map((run) => run.split(",").length);
    expect(Math.max(...gaps)).toBeLessThan(40);
  });

  test("equal weights share equally, and an idle queue leaves its share to the others", async () => {
    const equal = await runOrder({ queues: ["a", "b"], order: "weighted" }, [
      ["a", 300],
      ["b", 300],
    ]);
    const a = equal.slice(0, 300).filter((queue) => queue === "a").length;
    expect(a).toBeGreaterThan(110);
    expect(a).toBeLessThan(190);
    const alone = await runOrder({ queues: { a: 1, empty: 100 } }, [["a", 10]]);
    expect(alone).toHaveLength(10);
  });

  test("within a queue higher priorities come first, and equals in the order they were sent", async () => {
    await using app = memoryApp();
    const ran: string[] = [];
    const t = app.task("t", (name: string) => void ran.push(name));
    for (const [name, priority] of [
      ["low 1", 0],
      ["high 1", 9],
      ["mid", 5],
      ["low 2", 0],
      ["high 2", 9],
    ] as const) {
      await t.with({ priority }).enqueue(name);
    }
    await using worker = app.worker({ concurrency: 1 });
    await worker.start();
    const last = await t.with({ priority: 0 }).enqueue("last");
    await last.result();
    expect(ran).toEqual(["high 1", "high 2", "mid", "low 1", "low 2", "last"]);
  });

  test("a worker takes nothing from queues that it was not given, nor from paused ones", async () => {
    await using app = memoryApp();
    const t = app.task("t", () => 1);
    const [mine, other, paused] = [
      await t.with({ queue: "mine" }).enqueue(),
      await t.with({ queue: "other" }).enqueue(),
      await t.with({ queue: "paused" }).enqueue(),
    ];
    await app.inspect.pause("paused");
    await using worker = app.worker({ queues: ["mine", "paused"] });
    await worker.start();
    await mine.result();
    expect([await other.state(), await paused.state()]).toEqual(["waiting", "waiting"]);
    await app.inspect.resume("paused");
    expect(await paused.result()).toBe(1);
  });

  test("a short delay behind a long one comes due in its own time", async () => {
    const clock = new FakeClock();
    await using app = memoryApp({ clock });
    const t = app.task("t", () => clock.now());
    await using worker = app.worker();
    await worker.start();
    const start = clock.now();
    const long = await t.with({ delay: "1h" }).enqueue();
    const short = await t.with({ delay: "1s" }).enqueue();
    await clock.advance("2s");
    expect(await short.result()).toBe(start + 1000);
    expect(await long.state()).toBe("scheduled");
    await clock.advance("1h");
    expect(await long.result()).toBe(start + 3_600_000);
  });
});
