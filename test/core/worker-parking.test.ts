import { ExpiredError, Taskwright, UnknownTaskError, UnreadableError } from "taskwright";
import type { Broker, ConsumeOptions, OutgoingJob } from "taskwright/contracts";
import { memory } from "taskwright/drivers/memory";
import { FakeClock } from "taskwright/testing";
import { describe, expect, test } from "vitest";
import { memoryApp } from "./support.js";

const SILENT = { debug() {}, info() {}, warn() {}, error() {} };

const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

/** An app and, beside it, the bare broker that it works on: what foreign and broken producers write to. */
async function appAndBroker(clock = new FakeClock()): Promise<{ app: Taskwright; broker: Broker; clock: FakeClock }> {
  const driver = memory();
  const app = new Taskwright({ broker: driver, clock, logger: SILENT });
  const { broker } = await driver.connect({ clock, random: Math.random, logger: SILENT });
  if (broker === undefined) throw new Error("the memory driver is a broker");
  return { app, broker, clock };
}

function envelope(id: string, body: Uint8Array): OutgoingJob {
  return { id, queue: "default", priority: 0, task: "t", body };
}

describe("unreadable messages", () => {
  const bodies: [string, Uint8Array, RegExp][] = [
    ["nothing", new Uint8Array(), /./],
    ["noise", new Uint8Array([0xc1, 0xff, 0x00, 0x13]), /./],
    ["cut off", json([1, "t", [], 0]).subarray(0, 6), /./],
    ["text that is no JSON", new TextEncoder().encode("[1, hello"), /./],
    ["of another make", json({ task: "t" }), /./],
    ["without a task", json([1, "", [], 0]), /names no task/],
    ["without arguments", json([1, "t", "a", 0]), /no arguments/],
    ["without a time", json([1, "t", [], "now"]), /when it was enqueued/],
    ["with options that are none", json([1, "t", [], 0, 5]), /options/],
    ["with a wrong option", json([1, "t", [], 0, { attempts: "many" }]), /attempts/],
    ["of a newer version", json([2, "t", [], 0]), /newer taskwright.*upgrade this worker/],
    ["of no version", json(["x", "t", [], 0]), /not one of taskwright's/],
  ];
  test.each(bodies)("%s: parked once, with the reason and the raw bytes", async (_, body, reason) => {
    const { app, broker } = await appAndBroker();
    await using _app = app;
    let runs = 0;
    app.task("t", () => void runs++);
    await broker.publish([envelope("bad", body)]);
    expect(await app.drain()).toMatchObject({ dead: 1, retried: 0 });
    expect(await app.drain()).toMatchObject({ dead: 0 });
    const dead = await app.inspect.find("bad");
    expect(dead).toMatchObject({ state: "dead", reason: "unreadable", attempt: 1 });
    expect(dead?.body).toEqual(body);
    expect(dead?.attempts[0]?.error).toBeInstanceOf(UnreadableError);
    expect(dead?.attempts[0]?.error.message).toMatch(reason);
    await expect(app.job("bad").result()).rejects.toThrow(UnreadableError);
    expect(runs).toBe(0);
  });

  test("between good ones they hold nobody up", async () => {
    const { app, broker } = await appAndBroker();
    await using _app = app;
    const t = app.task("t", (n: number) => n);
    const before = await t.enqueueMany([[1], [2]]);
    await broker.publish([envelope("bad", json([9]))]);
    const after = await t.enqueue(3);
    expect(await app.drain()).toMatchObject({ completed: 3, dead: 1 });
    expect(await Promise.all([...before, after].map((job) => job.result()))).toEqual([1, 2, 3]);
  });

  test("with a value of a type that nobody registered here, or whose decoder throws, are parked too", async () => {
    const broker = memory();
    class Money {
      constructor(readonly cents: number) {}
    }
    await using producer = new Taskwright({ broker });
    await using ignorant = new Taskwright({ broker, logger: SILENT });
    await using broken = new Taskwright({ broker, logger: SILENT });
    const type = { name: "money", match: Money, encode: (money: Money) => money.cents };
    producer.types.register({ ...type, decode: (cents) => new Money(cents as number) });
    broken.types.register({
      ...type,
      decode: () => {
        throw new RangeError("no such coin");
      },
    });
    for (const app of [ignorant, broken]) {
      app.task("pay", () => 1);
      const job = await producer.send("pay", { args: [new Money(5)] });
      expect(await app.drain()).toMatchObject({ dead: 1 });
      expect((await app.inspect.find(job.id))?.reason).toBe("unreadable");
    }
  });

  test("a task that is called like something of Object's is unknown, not found", async () => {
    const { app, broker } = await appAndBroker();
    await using _app = app;
    for (const name of ["constructor", "__proto__", "toString"]) {
      await broker.publish([envelope(name, json([1, name, [], 0]))]);
    }
    expect(await app.drain()).toMatchObject({ dead: 3 });
    for (const name of ["constructor", "__proto__", "toString"]) {
      expect((await app.inspect.find(name))?.reason).toBe("unknown-task");
    }
  });
});

describe("unknown tasks", () => {
  test("are parked once, and run when they are retried by a worker that knows them", async () => {
    const broker = memory();
    await using ignorant = new Taskwright({ broker, logger: SILENT });
    await using knowing = new Taskwright({ broker });
    knowing.task("new.task", (n: number) => n * 2);
    const job = await knowing.send("new.task", { args: [21] });
    expect(await ignorant.drain()).toMatchObject({ dead: 1 });
    expect(await job.state()).toBe("dead");
    await expect(job.result()).rejects.toThrow(UnknownTaskError);
    expect((await knowing.inspect.find(job.id))?.reason).toBe("unknown-task");
    await job.retry();
    await knowing.drain();
    expect(await job.result()).toBe(42);
  });

  test("a stub is no handler", async () => {
    await using app = memoryApp({ logger: SILENT });
    const job = await app.remoteTask<[], void>("elsewhere").enqueue();
    await app.drain();
    await expect(job.result()).rejects.toThrow(UnknownTaskError);
  });
});

describe("expired jobs", () => {
  test.each([
    ["a duration", "10s" as const],
    ["a moment", new Date("2027-01-01T00:00:10Z")],
  ])("never run: expires as %s", async (_, expires) => {
    const clock = new FakeClock(new Date("2027-01-01T00:00:00Z"));
    await using app = memoryApp({ clock });
    let runs = 0;
    const t = app.task("t", () => void runs++);
    const late = await t.with({ expires }).enqueue();
    await clock.advance("10s");
    const dead = late.result().catch((error: unknown) => error);
    expect(await app.drain()).toMatchObject({ cancelled: 1, completed: 0 });
    expect(runs).toBe(0);
    expect(await dead).toBeInstanceOf(ExpiredError);
    expect(await late.state()).toBe("cancelled");
  });

  test("those that start in time run, and the task's or app's default counts", async () => {
    const clock = new FakeClock();
    await using app = memoryApp({ clock, defaults: { expires: "1m" } });
    const ran: string[] = [];
    const bare = app.task("bare", () => void ran.push("bare"));
    const own = app.task("own", { expires: "5s" }, () => void ran.push("own"));
    const call = own.with({ expires: "1h" });
    const jobs = [await bare.enqueue(), await own.enqueue(), await call.enqueue()];
    await clock.advance("30s");
    await app.drain();
    expect(await Promise.all(jobs.map((job) => job.state()))).toEqual(["completed", "cancelled", "completed"]);
    expect(ran.sort()).toEqual(["bare", "own"]);
  });

  test("a job that expires between two attempts is not run again", async () => {
    const clock = new FakeClock();
    await using app = memoryApp({ clock });
    let runs = 0;
    const t = app.task("t", { attempts: 5, backoff: "1m", expires: "30s" }, () => {
      runs += 1;
      throw new Error("again");
    });
    const job = await t.enqueue();
    await using worker = app.worker();
    await worker.start();
    await clock.advance("10m");
    expect(runs).toBe(1);
    expect(await job.state()).toBe("cancelled");
  });
});

describe("jobs that kill their workers", () => {
  const consumeOptions: ConsumeOptions = {
    worker: "dies",
    queues: ["default"],
    capacity: 10,
    lease: 30_000,
    onCancel: () => {},
  };

  /** Claims what is due and never settles it: what a worker that is killed leaves behind. */
  async function die(broker: Broker, clock: FakeClock): Promise<number> {
    const consumer = await broker.consume(consumeOptions);
    const claimed = await consumer.claim({ queues: ["default"], max: 10, wait: 0 });
    await clock.advance("31s");
    await broker.sweep({ max: 10, delay: 0, jitter: 0 });
    return claimed.length;
  }

  test("go to the dead letters after as many lost leases as are allowed, and are not run again", async () => {
    const { app, broker, clock } = await appAndBroker();
    await using _app = app;
    let runs = 0;
    const t = app.task("t", { attempts: 10 }, () => void runs++);
    const job = await t.enqueue();
    for (let n = 0; n < 3; n++) expect(await die(broker, clock)).toBe(1);
    await using worker = app.worker({ poisonLimit: 3 });
    await worker.start();
    await clock.advance("1m");
    expect(runs).toBe(0);
    expect(await app.inspect.find(job.id)).toMatchObject({ state: "dead", reason: "lease-lost", losses: 3 });
    await expect(job.result()).rejects.toThrow(/lost its worker 3 times/);
  });

  test("a lost lease counts as an attempt, so that attempts: n is never more than n runs", async () => {
    const { app, broker, clock } = await appAndBroker();
    await using _app = app;
    let runs = 0;
    const t = app.task("t", { attempts: 2, backoff: 0 }, () => {
      runs += 1;
      throw new Error("no");
    });
    const job = await t.enqueue();
    await die(broker, clock);
    await using worker = app.worker();
    await worker.start();
    await clock.advance("1m");
    expect(runs).toBe(1);
    expect(await app.inspect.find(job.id)).toMatchObject({ state: "dead", reason: "failed", attempt: 2, losses: 1 });
  });

  test("with no attempt left they are not run although the limit of lost leases is not reached", async () => {
    const { app, broker, clock } = await appAndBroker();
    await using _app = app;
    let runs = 0;
    const job = await app.task("t", { attempts: 1 }, () => void runs++).enqueue();
    await die(broker, clock);
    await using worker = app.worker();
    await worker.start();
    await clock.advance("1m");
    expect(runs).toBe(0);
    await expect(job.result()).rejects.toThrow(/lost its worker once and has no attempt left of 1/);
  });

  test("below the limit they run, and know which attempt it is", async () => {
    const { app, broker, clock } = await appAndBroker();
    await using _app = app;
    const t = app.task("t", { attempts: 5 }, () => "survived");
    const job = await t.enqueue();
    await die(broker, clock);
    await die(broker, clock);
    await using worker = app.worker();
    await worker.start();
    await clock.advance("1m");
    expect(await job.result()).toBe("survived");
  });
});
