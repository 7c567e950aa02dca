import { BrokerError, ConfigError, type Driver, type Job, Taskwright } from "taskwright";
import type { OutgoingJob } from "taskwright/contracts";
import { memory } from "taskwright/drivers/memory";
import { sqlite } from "taskwright/drivers/sqlite";
import { describe, expect, onTestFinished, test } from "vitest";
import { CLIENTS, openDatabase } from "../drivers/sqlite/support.js";
import { temporaryFolder } from "../support/temporary.js";
import { deferred, memoryApp, recordEvents, tapped } from "./support.js";

/** A memory driver, and the size of every batch that is published to it. */
function countingDriver(): { driver: Driver; batches: number[] } {
  const batches: number[] = [];
  const driver = tapped(memory(), (call, next) => {
    if (call.method === "publish") batches.push((call.args[0] as readonly OutgoingJob[]).length);
    return next();
  });
  return { driver, batches };
}

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

describe("batches", () => {
  test("calls of one tick travel together, those of the next tick by themselves", async () => {
    const { driver, batches } = countingDriver();
    await using app = new Taskwright({ broker: driver });
    const add = app.task("add", (a: number, b: number) => a + b);
    await app.connect();
    await Promise.all([add.enqueue(1, 2), add.enqueue(3, 4), add.enqueue(5, 6)]);
    await add.enqueue(7, 8);
    expect(batches).toEqual([3, 1]);
  });

  test("50,000 concurrent calls go in batches of at most a thousand, one after the other", async () => {
    let open = 0;
    let most = 0;
    const batches: number[] = [];
    const driver = tapped(memory(), async (call, next) => {
      if (call.method !== "publish") return next();
      batches.push((call.args[0] as readonly OutgoingJob[]).length);
      most = Math.max(most, ++open);
      const answer = await next();
      open -= 1;
      return answer;
    });
    await using app = new Taskwright({ broker: driver });
    const add = app.task("add", (a: number, b: number) => a + b);
    const jobs = await Promise.all(Array.from({ length: 50_000 }, (_, n) => add.enqueue(n, 1)));
    expect(new Set(jobs.map((job) => job.id)).size).toBe(50_000);
    expect(batches.reduce((sum, size) => sum + size, 0)).toBe(50_000);
    expect(Math.max(...batches)).toBeLessThanOrEqual(1000);
    expect(batches.length).toBeLessThanOrEqual(60);
    expect(most).toBe(1);
    expect(await app.drain()).toMatchObject({ completed: 50_000 });
    expect(await jobs[49_999]?.result()).toBe(50_000);
  });

  test("while one batch is on its way the next one gathers", async () => {
    const held = deferred();
    const batches: number[] = [];
    const driver = tapped(memory(), async (call, next) => {
      if (call.method !== "publish") return next();
      batches.push((call.args[0] as readonly OutgoingJob[]).length);
      if (batches.length === 1) await held.promise;
      return next();
    });
    await using app = new Taskwright({ broker: driver });
    const say = app.task("say", (word: string) => word);
    await app.connect();
    const first = say.enqueue("a");
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    const rest = [say.enqueue("b")];
    await new Promise((resolve) => setImmediate(resolve));
    rest.push(say.enqueue("c"));
    held.resolve();
    await Promise.all([first, ...rest]);
    expect(batches).toEqual([1, 2]);
  });

  test("enqueueMany publishes in as few batches as there are thousands, and answers in the order given", async () => {
    const { driver, batches } = countingDriver();
    await using app = new Taskwright({ broker: driver });
    const add = app.task("add", (a: number, b: number) => a + b);
    const jobs = await add.enqueueMany(Array.from({ length: 2500 }, (_, n) => [n, n]));
    expect(batches).toEqual([1000, 1000, 500]);
    await app.drain();
    expect(await Promise.all(jobs.map((job) => job.result()))).toEqual(Array.from({ length: 2500 }, (_, n) => 2 * n));
    expect(await add.enqueueMany([])).toEqual([]);
  });

  test("enqueueMany checks everything before it sends anything", async () => {
    const { driver, batches } = countingDriver();
    await using app = new Taskwright({ broker: driver });
    const say = app.task("say", (word: unknown) => word);
    await expect(say.enqueueMany([["a"], [() => "no function can travel"]])).rejects.toThrow(ConfigError);
    expect(batches).toEqual([]);
  });

  test("one call that cannot be sent fails alone", async () => {
    await using app = memoryApp();
    const say = app.task("say", (word: unknown) => word);
    const sent = await Promise.allSettled([say.enqueue("a"), say.enqueue(() => 1), say.enqueue("b")]);
    expect(sent.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(await app.drain()).toMatchObject({ completed: 2 });
  });

  test("a broker that refuses a batch rejects each call of it, and the next one goes through", async () => {
    let refuse = true;
    const driver = tapped(memory(), (call, next) => {
      if (call.method !== "publish" || !refuse) return next();
      refuse = false;
      throw new BrokerError("no room");
    });
    await using app = new Taskwright({ broker: driver });
    const say = app.task("say", (word: string) => word);
    const sent = await Promise.allSettled([say.enqueue("a"), say.enqueue("b")]);
    expect(sent.map((one) => (one.status === "rejected" ? String(one.reason) : ""))).toEqual([
      "BrokerError: no room",
      "BrokerError: no room",
    ]);
    await say.enqueue("c");
    expect(await app.drain()).toMatchObject({ completed: 1 });
  });

  test("what a driver throws unexpectedly arrives as a BrokerError with an unknown outcome", async () => {
    const broken: Driver = {
      ...memory(),
      connect: async (environment) => {
        const connection = await memory().connect(environment);
        return {
          ...connection,
          broker: { ...connection.broker, publish: () => Promise.reject(new Error("ECONNRESET")) },
        };
      },
    } as Driver;
    await using app = new Taskwright({ broker: broken });
    const error = await app
      .task("t", () => 1)
      .enqueue()
      .then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
    expect(error).toBeInstanceOf(BrokerError);
    expect(error).toMatchObject({ outcome: "unknown", retryable: true });
    expect(String(error)).toContain("memory broker.publish failed: ECONNRESET");
  });

  test("a broker that cannot be opened rejects the call, and the next call tries again", async () => {
    let down = true;
    const driver: Driver = {
      ...memory(),
      connect: (environment) => {
        if (down) return Promise.reject(new BrokerError("down"));
        return memory().connect(environment);
      },
    };
    await using app = new Taskwright({ broker: driver });
    const say = app.task("say", () => 1);
    await expect(say.enqueue()).rejects.toThrow("down");
    await expect(say.enqueueMany([[]])).rejects.toThrow("down");
    down = false;
    await expect(say.enqueue()).resolves.toHaveProperty("duplicate", false);
  });
});

describe("arguments", () => {
  test.each([true, false])("are taken as they are at the call, connected before: %s", async (connected) => {
    await using app = memoryApp();
    if (connected) await app.connect();
    const show = app.task("show", (order: { id: number; lines: string[] }) => order);
    const order = { id: 1, lines: ["a"] };
    const sent = show.enqueue(order);
    order.id = 2;
    order.lines.push("b");
    const job = await sent;
    await app.drain();
    expect(await job.result()).toEqual({ id: 1, lines: ["a"] });
  });

  test.each([true, false])("of enqueueMany too, connected before: %s", async (connected) => {
    await using app = memoryApp();
    if (connected) await app.connect();
    const show = app.task("show", (order: { id: number }) => order);
    const order = { id: 1 };
    const sent = show.enqueueMany([[order], [order]]);
    order.id = 2;
    const jobs = await sent;
    await app.drain();
    expect(await Promise.all(jobs.map((job) => job.result()))).toEqual([{ id: 1 }, { id: 1 }]);
  });

  test("and kwargs, at a call to a broker that is opened for it", async () => {
    const broker = memory();
    await using app = memoryApp();
    await using other = memoryApp({ broker });
    other.task("show", (...all: unknown[]) => all);
    const [list, kwargs] = [[1], { deep: { x: 1 } }];
    await app.connect();
    const sent = app.send("show", { args: [list], kwargs, broker });
    list.push(2);
    kwargs.deep.x = 2;
    const job = await sent;
    await other.drain();
    expect(await job.result()).toEqual([[1], { deep: { x: 1 } }]);
  });

  test("rich values arrive as what they were", async () => {
    await using app = memoryApp();
    const echo = app.task("echo", (...all: unknown[]) => all);
    const values = [
      new Date("2027-01-01"),
      new Map([["a", new Set([1n])]]),
      new Uint8Array([1, 2]),
      new URL("https://a.example/b"),
      undefined,
      null,
      Number.NaN,
      2n ** 70n,
    ];
    const job = await echo.enqueue(...values);
    await app.drain();
    expect(await job.result()).toEqual(values);
  });

  test("what cannot travel is refused where it stands", async () => {
    await using app = memoryApp();
    const echo = app.task("echo", (value: unknown) => value);
    await expect(echo.enqueue({ deep: [Symbol("x")] })).rejects.toThrow(/args\[0\]\.deep\[0\]/);
    await expect(echo.enqueue({ fn: () => 1 })).rejects.toThrow(ConfigError);
  });

  test("custom types travel where both sides register them", async () => {
    class Money {
      constructor(
        readonly cents: number,
        readonly currency: string,
      ) {}
    }
    await using app = memoryApp();
    app.types.register({
      name: "money",
      match: Money,
      encode: ({ cents, currency }) => [cents, currency],
      decode: (value) => new Money(...(value as [number, string])),
    });
    const twice = app.task("twice", (money: Money) => new Money(money.cents * 2, money.currency));
    const job = await twice.enqueue(new Money(250, "EUR"));
    await app.drain();
    const result = await job.result();
    expect(result).toBeInstanceOf(Money);
    expect(result).toEqual(new Money(500, "EUR"));
  });

  test.each(["msgpack", "json"] as const)("in %s, and a worker reads both codecs", async (codec) => {
    const broker = memory();
    await using producer = new Taskwright({ broker, codec });
    await using consumer = new Taskwright({ broker, codec: codec === "json" ? "msgpack" : "json" });
    consumer.task("echo", (value: unknown) => value);
    const job = await producer.send("echo", { args: [{ at: new Date(7), n: 1 }] });
    await consumer.drain();
    expect(await job.result()).toEqual({ at: new Date(7), n: 1 });
  });
});

describe.each(CLIENTS)("in a transaction of the user's own (%s)", (client) => {
  test.each(["COMMIT", "ROLLBACK"] as const)("jobs share its end: %s", async (end) => {
    const folder = await temporaryFolder();
    onTestFinished(() => folder.remove());
    const path = `${folder.path}/jobs.db`;
    await using app = new Taskwright({ broker: sqlite({ path, client }) });
    const t = app.task("t", (n: number) => n);
    await app.connect();
    const database = openDatabase(client, path);
    onTestFinished(() => void database.close());
    database.exec("BEGIN IMMEDIATE");
    const inTransaction = t.with({ tx: database });
    // Nothing is awaited before the transaction ends: a synchronous one must hold all of them.
    const sending = [inTransaction.enqueue(1), inTransaction.enqueueMany([[2], [3]])];
    database.exec(end);
    await Promise.all(sending);
    expect(await app.drain()).toMatchObject({ completed: end === "COMMIT" ? 3 : 0 });
  });
});

describe("ids", () => {
  test("are UUIDv7, growing in the order of the calls", async () => {
    await using app = memoryApp();
    const say = app.task("say", () => 1);
    const jobs = await Promise.all(Array.from({ length: 100 }, () => say.enqueue()));
    const ids = jobs.map((job) => job.id);
    for (const id of ids) expect(id).toMatch(UUID_V7);
    expect([...ids].sort()).toEqual(ids);
  });

  test("may be made by the app", async () => {
    let n = 0;
    await using app = memoryApp({ generateId: () => `job-${++n}` });
    const say = app.task("say", () => 1);
    expect((await say.enqueue()).id).toBe("job-1");
    expect((await say.enqueueMany([[], []])).map((job) => job.id)).toEqual(["job-2", "job-3"]);
  });

  test("of the caller's own make a job idempotent, while it waits and after it ended", async () => {
    await using app = memoryApp();
    let runs = 0;
    const pay = app.task("pay", (amount: number) => {
      runs += 1;
      return amount;
    });
    const once = pay.with({ id: "invoice-7" });
    const first = await once.enqueue(1);
    const second = await once.enqueue(2);
    expect([first.duplicate, second.duplicate]).toEqual([false, true]);
    expect(second.id).toBe("invoice-7");
    expect(await app.drain()).toMatchObject({ completed: 1 });
    const third = await once.enqueue(3);
    expect(third.duplicate).toBe(true);
    expect(await third.result()).toBe(1);
    expect(runs).toBe(1);
    await third.forget();
    expect((await once.enqueue(4)).duplicate).toBe(false);
  });

  test("given twice in one tick, or in one enqueueMany, are one job", async () => {
    await using app = memoryApp();
    const pay = app.task("pay", (amount: number) => amount);
    const once = pay.with({ id: "a" });
    const both = await Promise.all([once.enqueue(1), once.enqueue(2)]);
    expect(both.map((job) => job.duplicate)).toEqual([false, true]);
    const many = await pay.with({ id: "b" }).enqueueMany([[1], [2]]);
    expect(many.map((job) => job.duplicate)).toEqual([false, true]);
    expect(await app.drain()).toMatchObject({ completed: 2 });
  });

  test("hold across processes that share a database", async () => {
    const folder = await temporaryFolder();
    onTestFinished(() => folder.remove());
    const open = () => new Taskwright({ broker: sqlite({ path: `${folder.path}/jobs.db`, synchronous: "NORMAL" }) });
    await using one = open();
    await using two = open();
    const first = await one.send("pay", { id: "x" });
    const second = await two.send("pay", { id: "x" });
    expect([first.duplicate, second.duplicate]).toEqual([false, true]);
  });
});

describe("what enqueue answers with", () => {
  test("is a promise of the job that knows its result, and derived promises are plain ones", async () => {
    await using app = memoryApp();
    const add = app.task("add", (a: number, b: number) => a + b);
    const pending = add.enqueue(2, 3);
    const result = pending.result();
    const derived = pending.then((job: Job<number>) => job.id);
    expect(pending).toBeInstanceOf(Promise);
    expect(derived.constructor).toBe(Promise);
    await pending;
    await app.drain();
    expect(await result).toBe(5);
  });

  test("rejects in result() what enqueueing rejects with", async () => {
    await using app = memoryApp();
    const say = app.task("say", (word: unknown) => word);
    await expect(say.enqueue(() => 1).result()).rejects.toThrow(ConfigError);
  });

  test("an event tells of each acknowledged job", async () => {
    await using app = memoryApp();
    const events = recordEvents(app, "job:enqueued");
    const say = app.task("say", { queue: "q" }, () => 1);
    await say.with({ id: "a" }).enqueue();
    await say.with({ id: "a" }).enqueueMany([[]]);
    expect(events.map(({ event }) => event)).toEqual([
      { id: "a", task: "say", queue: "q", duplicate: false },
      { id: "a", task: "say", queue: "q", duplicate: true },
    ]);
  });
});

test("kwargs count as the last argument where a schema checks them", async () => {
  const { z } = await import("zod");
  await using app = memoryApp();
  const options = z.object({ loud: z.boolean() });
  app.task("say", { args: z.tuple([z.string(), options]) }, (word, { loud }) => (loud ? word.toUpperCase() : word));
  const job = await app.send("say", { args: ["a"], kwargs: { loud: true } });
  await app.drain();
  expect(await job.result()).toBe("A");
  await expect(app.send("say", { args: ["a"], kwargs: { loud: 1 } })).rejects.toThrow(/validation failed/);
});
