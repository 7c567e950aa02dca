import { Taskwright } from "taskwright";
import { memory } from "taskwright/drivers/memory";
import { sqlite } from "taskwright/drivers/sqlite";
import { type FaultRule, type FaultyDriver, seededRandom, withFaults } from "taskwright/testing";
import { describe, expect, it, onTestFinished } from "vitest";
import type { Driver } from "../../src/contracts/index.js";
import { BrokerError, TaskwrightError } from "../../src/job/errors.js";
import { temporaryFolder } from "../support/temporary.js";
import { SEED } from "./seed.js";

const silent = { debug() {}, info() {}, warn() {}, error() {} };

function faulty(rules: readonly FaultRule[], seed = SEED): FaultyDriver {
  return withFaults(memory(), { seed, rules });
}

/** An app with one task, which counts its runs by job. */
function appOn(broker: Driver) {
  const app = new Taskwright({
    broker,
    logger: silent,
    defaults: { attempts: 50, backoff: { type: "fixed", delay: 1 } },
  });
  const runs = new Map<string, number>();
  const double = app.task("double", (id: string, n: number) => {
    runs.set(id, (runs.get(id) ?? 0) + 1);
    return 2 * n;
  });
  onTestFinished(() => app.close());
  return { app, double, runs };
}

describe("withFaults", () => {
  it("fails a call before it arrives: nothing was enqueued, and the error says so", async () => {
    const { app, double } = appOn(faulty([{ fault: "fail-before", on: "broker.publish", times: 1 }]));
    const failed = await double.enqueue("a", 1).catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(BrokerError);
    expect(failed).toMatchObject({
      outcome: "none",
      retryable: true,
      message: expect.stringContaining("broker.publish"),
    });
    expect(await app.inspect.queues()).toEqual([]);
  });

  it("loses an answer: the job is there, the error says that nobody knows, and a repeated id is safe", async () => {
    const { app, double } = appOn(faulty([{ fault: "fail-after", on: "broker.publish", times: 1 }]));
    const send = () => double.with({ id: "a" }).enqueue("a", 1);
    await expect(send()).rejects.toMatchObject({ outcome: "unknown", retryable: true });
    expect(await send()).toMatchObject({ id: "a", duplicate: true });
    expect(await app.inspect.queues()).toMatchObject([{ counts: { waiting: 1 } }]);
  });

  it("makes a call twice, and answers with the second answer", async () => {
    const { app, double } = appOn(faulty([{ fault: "duplicate", on: "broker.publish" }]));
    expect(await double.with({ id: "a" }).enqueue("a", 1)).toMatchObject({ duplicate: true });
    expect(await app.inspect.queues()).toMatchObject([{ counts: { waiting: 1 } }]);
  });

  it("tells what it did, the same for the same seed", async () => {
    const rules: FaultRule[] = [{ fault: "fail-before", on: "broker.*", rate: 0.5 }];
    const attempt = async (seed: number) => {
      const driver = faulty(rules, seed);
      const { double } = appOn(driver);
      const answers: boolean[] = [];
      for (let n = 0; n < 20; n++)
        answers.push(
          await double.enqueue("a", n).then(
            () => true,
            () => false,
          ),
        );
      expect(driver.injected).toEqual(
        answers.filter((ok) => !ok).map(() => ({ fault: "fail-before", call: "broker.publish" })),
      );
      return answers;
    };
    const first = await attempt(1);
    expect(new Set(first)).toEqual(new Set([true, false]));
    expect(await attempt(1)).toEqual(first);
    expect(await attempt(2)).not.toEqual(first);
  });

  it.each([
    [{ fault: "explode" }, /no fault "explode"/],
    [{ fault: "delay", rate: 2 }, /from 0 to 1, not 2/],
    [{ fault: "delay", on: "publish" }, /not on "publish"/],
    [{ fault: "delay", delay: "soon" }, /the delay of a fault/],
  ])("refuses %j", (rule, message) => {
    expect(() => faulty([rule as FaultRule])).toThrow(message);
  });
});

describe("a worker", () => {
  it("stops in order although its broker is gone by then, and tells of it", async () => {
    const { app } = appOn(faulty([{ fault: "fail-before", on: "consumer.close" }]));
    const errors: unknown[] = [];
    const worker = app.worker().on("worker:error", ({ error }) => errors.push(error));
    await worker.start();
    await worker.stop();
    expect(errors).toEqual([expect.objectContaining({ message: expect.stringContaining("consumer.close") })]);
  });
});

describe("seededRandom", () => {
  it("is uniform enough, within [0, 1), and repeats itself", () => {
    const random = seededRandom(7);
    const drawn = Array.from({ length: 10_000 }, random);
    expect(Math.min(...drawn)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...drawn)).toBeLessThan(1);
    expect(drawn.reduce((sum, one) => sum + one) / drawn.length).toBeCloseTo(0.5, 1);
    const again = seededRandom(7);
    expect(Array.from({ length: 10 }, again)).toEqual(drawn.slice(0, 10));
  });
});

/** Everything that an app and a worker do in their lives goes wrong now and then. */
const RULES: readonly FaultRule[] = [
  "broker.publish",
  "broker.sweep",
  "consumer.*",
  "backend.*",
  "coordinator.*",
].flatMap((on): FaultRule[] => [
  { on, fault: "fail-before", rate: 0.05 },
  { on, fault: "fail-after", rate: 0.05 },
  { on, fault: "duplicate", rate: 0.05 },
  { on, fault: "delay", rate: 0.05, delay: "20ms" },
]);

const JOBS = 400;

/** Repeats what failed for now, as callers of a queue are told to. */
async function persist<T>(attempt: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof TaskwrightError && error.retryable)) throw error;
    }
  }
}

describe.each(["memory", "sqlite"])("an app on %s through faults", (name) => {
  it(`loses nothing and repeats only what lost its lease (seed ${SEED})`, async () => {
    const folder = await temporaryFolder();
    onTestFinished(() => folder.remove());
    const inner = name === "memory" ? memory() : sqlite({ path: `${folder.path}/jobs.db`, synchronous: "NORMAL" });
    const driver = withFaults(inner, { seed: SEED, rules: RULES });
    const { app, double, runs } = appOn(driver);
    let lost = 0;
    app.on("job:lost", () => {
      lost += 1;
    });
    app.on("worker:error", () => {});
    const worker = app.worker({ lease: 400, heartbeat: 100, sweep: 100, poisonLimit: 50, concurrency: 20 });
    await worker.start();

    const ids = Array.from({ length: JOBS }, (_, n) => `job-${n}`);
    const jobs = [];
    for (const [n, id] of ids.entries()) jobs.push(await persist(() => double.with({ id }).enqueue(id, n)));
    const values = await Promise.all(jobs.map((job) => persist(() => job.result())));
    await worker.stop();

    expect(values).toEqual(ids.map((_, n) => 2 * n));
    expect([...runs.keys()].sort()).toEqual([...ids].sort());
    const repeated = [...runs.values()].reduce((sum, count) => sum + count - 1, 0);
    expect(repeated).toBeLessThanOrEqual(lost);
    const suffered = new Set(driver.injected.map(({ fault }) => fault));
    expect(suffered.size).toBe(4);
    console.log(
      `${name}: ${driver.injected.length} faults, ${lost} settlements lost, ${repeated} of ${JOBS} jobs repeated`,
    );
  });
});
