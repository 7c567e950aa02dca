import { ConfigError, currentJob, Taskwright } from "taskwright";
import { memory } from "taskwright/drivers/memory";
import { describe, expect, test } from "vitest";
import { createCodec, ErrorRegistry, encodeError, TypeRegistry } from "../../src/job/codec/index.js";
import { shortenError } from "../../src/job/shorten.js";
import { nextEvent, tapped } from "./support.js";

const SILENT = { debug() {}, info() {}, warn() {}, error() {} };

/** An app on a driver that takes only so much, and what was sent to it. */
function limitedApp(maxBytes: number, options: { readonly attempts?: number } = {}) {
  const published: { readonly body: Uint8Array }[][] = [];
  const settled: Settled[] = [];
  const driver = tapped({ ...memory(), maxBytes }, (call, next) => {
    if (call.method === "publish") published.push(call.args[0] as never);
    if (call.method === "settle") settled.push(...(call.args[0] as Settled[]));
    return next();
  });
  const app = new Taskwright({ broker: driver, logger: SILENT, defaults: { attempts: 1, backoff: 0, ...options } });
  return { app, published, settled };
}

interface Settled {
  readonly kind: string;
  readonly history?: Uint8Array;
  readonly outcome?: { readonly body: Uint8Array };
}

describe("a job that is longer than its driver takes", () => {
  test("is refused at enqueue, with its size, the limit and what to do, and nothing was sent", async () => {
    const { app, published } = limitedApp(1000);
    await using _app = app;
    const t = app.task("big.one", (text: string) => text.length);
    const error: unknown = await t.enqueue("x".repeat(2000)).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(ConfigError);
    expect(error).toMatchObject({ outcome: "none", retryable: false });
    expect(String(error)).toMatch(
      /a job of task "big.one" has 2,0\d\d bytes and memory takes at most 1,000: raise maxBytes of the driver, or keep the data elsewhere and send a reference to it/,
    );
    expect(published).toEqual([]);
  });

  test("fails alone: those of the same batch are enqueued", async () => {
    const { app, published } = limitedApp(1000);
    await using _app = app;
    await app.connect();
    const t = app.task("t", (text: string) => text.length);
    const settled = await Promise.allSettled([t.enqueue("a"), t.enqueue("b".repeat(1000)), t.enqueue("c")]);
    expect(settled.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(published.map((jobs) => jobs.length)).toEqual([2]);
    await expect(t.enqueueMany([["a"], ["b".repeat(1000)]])).rejects.toThrow(/takes at most 1,000/);
    expect(published.length).toBe(1);
    expect(await app.drain()).toMatchObject({ completed: 2 });
  });

  test("passes up to the last byte", async () => {
    const { app, published } = limitedApp(1000);
    await using _app = app;
    const t = app.task("t", (text: string) => text.length);
    await t.enqueue("x".repeat(900));
    const used = published[0]?.[0]?.body.length ?? 0;
    const fits = 900 + 1000 - used;
    await t.enqueue("x".repeat(fits));
    expect(published[1]?.[0]?.body.length).toBe(1000);
    await expect(t.enqueue("x".repeat(fits + 1))).rejects.toThrow(/has 1,001 bytes/);
  });

  test("is refused as a broadcast too, and never without a limit", async () => {
    const { app } = limitedApp(1000);
    await using _app = app;
    const t = app.task("t", { broadcast: true }, (text: string) => text.length);
    await expect(t.enqueue("x".repeat(1000))).rejects.toThrow(/takes at most 1,000/);
    await using free = new Taskwright({ broker: memory() });
    const job = await free.task("t", (text: string) => text.length).enqueue("x".repeat(3_000_000));
    await free.drain();
    expect(await job.result()).toBe(3_000_000);
  });
});

describe("a result that is longer than its driver takes", () => {
  test("makes a dead letter that says so, at once", async () => {
    const { app, settled } = limitedApp(10_000, { attempts: 5 });
    await using _app = app;
    const t = app.task("long.answer", (length: number) => "x".repeat(length));
    const [job, beside] = await t.enqueueMany([[20_000], [10]]);
    await using worker = app.worker();
    const dead = nextEvent(worker, "job:dead");
    await worker.start();
    expect(await dead).toMatchObject({ reason: "invalid-result", attempt: 1 });
    expect(await beside?.result()).toBe("x".repeat(10));
    await expect(job?.result()).rejects.toThrow(
      /the result of task "long.answer" has 20,0\d\d bytes and memory takes at most 10,000/,
    );
    expect(settled.map(({ kind }) => kind).sort()).toEqual(["complete", "dead"]);
  });

  test("is no matter where it is not kept, or is kept elsewhere", async () => {
    const { app } = limitedApp(1000);
    await using _app = app;
    const t = app.task("t", () => "x".repeat(2000));
    await t.with({ result: { keep: false } }).enqueue();
    expect(await app.drain()).toMatchObject({ completed: 1, dead: 0 });
    await using other = new Taskwright({ broker: { ...memory(), maxBytes: 1000 }, backend: memory() });
    const job = await other.task("t", () => "x".repeat(2000)).enqueue();
    expect(await other.drain()).toMatchObject({ completed: 1 });
    expect(await job.result()).toHaveLength(2000);
  });
});

describe("reports", () => {
  test("that are longer than the driver takes fail the call, and the job goes on", async () => {
    const { app } = limitedApp(1000);
    await using _app = app;
    const t = app.task("told", async () => {
      const job = currentJob();
      const long = "ü".repeat(600);
      const errors = await Promise.allSettled([job.progress(long), job.log(long), job.progress(0.5), job.log("short")]);
      return errors.map((one) => (one.status === "rejected" ? String(one.reason) : "told"));
    });
    const job = await t.enqueue();
    await app.drain();
    const [progress, log, ...others] = await job.result();
    expect(progress).toMatch(/ConfigError: progress of task "told" has 1,20\d bytes and memory takes at most 1,000/);
    expect(log).toMatch(/ConfigError: a line of the log of task "told" has 1,200 bytes and memory takes at most/);
    expect(others).toEqual(["told", "told"]);
    expect([await job.progress().last(), await job.logs()]).toEqual([0.5, ["short"]]);
  });
});

describe("an error that is longer than the driver takes", () => {
  test("is shortened, with its history, and never lost", async () => {
    const { app, settled } = limitedApp(4000, { attempts: 30 });
    await using _app = app;
    const t = app.task("t", () => {
      const { attempt } = currentJob();
      const cause = new Error("c".repeat(5000));
      throw Object.assign(new RangeError(`no ${attempt}`, { cause }), { response: "r".repeat(5000), status: 503 });
    });
    const job = await t.enqueue();
    expect(await app.drain()).toMatchObject({ retried: 29, dead: 1 });
    for (const { history, outcome } of settled) {
      expect(history?.length).toBeLessThanOrEqual(2000);
      if (outcome !== undefined) expect(outcome.body.length).toBeLessThanOrEqual(4000);
    }
    const error: unknown = await job.result().catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(RangeError);
    expect(error).toMatchObject({ message: "no 30" });
    const attempts = await job.attempts();
    expect(attempts.at(-1)).toMatchObject({ attempt: 30, error: { message: "no 30" } });
    expect(attempts.length).toBeGreaterThan(1);
  });

  test("keeps its short properties, and a note of the long ones, where that is enough", async () => {
    const { app } = limitedApp(100_000);
    await using _app = app;
    const t = app.task("t", () => {
      throw Object.assign(new Error("no"), { response: "r".repeat(200_000), status: 503 });
    });
    const job = await t.enqueue();
    await app.drain();
    const error: unknown = await job.result().catch((caught: unknown) => caught);
    expect(error).toMatchObject({ message: "no", status: 503, response: "(200,006 bytes, left out)" });
    expect((await job.attempts())[0]?.error).toMatchObject({ status: 503 });
  });

  test.each(["msgpack", "json"] as const)("fits whatever is long about it: %s", (name) => {
    const codec = createCodec(name, new TypeRegistry(), new ErrorRegistry());
    const long = "\u0000\u{1f600}ü".repeat(20_000);
    let error = new Error(long);
    for (let depth = 0; depth < 8; depth++) error = new Error(long, { cause: error });
    error.name = long;
    error.stack = long;
    const data = Object.fromEntries(Array.from({ length: 5000 }, (_, n) => [`key${n}`, n]));
    const encoded = { ...encodeError(Object.assign(error, data)), code: long, type: long };
    for (const most of [500_000, 50_000, 5000, 1000]) {
      const shortened = shortenError(encoded, most, codec);
      expect(codec.encode([shortened]).length).toBeLessThanOrEqual(most);
      expect(shortened.message.length).toBeGreaterThan(0);
    }
    const short = encodeError(new Error("short"));
    expect(shortenError(short, 100_000, codec)).toBe(short);
  });
});
