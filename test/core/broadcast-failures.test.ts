import {
  CancelledError,
  currentJob,
  Discard,
  Retry,
  Taskwright,
  TimeoutError,
  UnknownTaskError,
  UnreadableError,
  ValidationError,
} from "taskwright";
import { memory } from "taskwright/drivers/memory";
import { FakeClock } from "taskwright/testing";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { apps, SILENT, untilRun } from "./broadcasts.js";
import { aborted, memoryApp, nextEvent, RecordingLogger, recordEvents } from "./support.js";

describe("a broadcast that fails", () => {
  /** What one broadcast to one worker ends with. */
  async function failureOf(app: Taskwright, send: () => PromiseLike<unknown>) {
    await using worker = app.worker();
    const failed = nextEvent(worker, "broadcast:failed");
    const others = recordEvents(worker, "job:dead", "job:retrying", "job:released", "job:completed", "job:lost");
    await worker.start();
    await send();
    const event = await failed;
    await worker.stop();
    expect(others).toEqual([]);
    expect(worker.stats).toMatchObject({ failed: 1, completed: 0, dead: 0, retried: 0, active: 0, prefetched: 0 });
    expect(await app.inspect.queues()).toEqual([]);
    return event;
  }

  test("is told of, logged and over, whatever its app's defaults", async () => {
    const logger = new RecordingLogger();
    await using app = memoryApp({ logger, defaults: { attempts: 5, backoff: 0, expires: "1h" } });
    let runs = 0;
    const t = app.task("t", { broadcast: true }, () => {
      runs += 1;
      throw new RangeError("no");
    });
    const event = await failureOf(app, () => t.enqueue());
    expect(event).toMatchObject({ task: "t", queue: "default", attempt: 1, error: new RangeError("no") });
    expect(logger.messages("error")).toEqual(["a broadcast failed on this worker; it is not tried again"]);
    expect(runs).toBe(1);
  });

  test.each([
    ["throws a decision to retry", () => new Retry({ delay: 0 }), Retry],
    ["throws something else than an error", () => "text", String],
  ])("one that %s too", async (_, thrown, type) => {
    await using app = memoryApp({ logger: SILENT });
    const t = app.task("t", { broadcast: true }, () => {
      throw thrown();
    });
    const { error } = await failureOf(app, () => t.enqueue());
    expect(Object(error)).toBeInstanceOf(type);
  });

  test("a discarded one is cancelled", async () => {
    await using app = memoryApp({ logger: SILENT });
    const t = app.task("t", { broadcast: true }, () => {
      throw new Discard("not for me");
    });
    await using worker = app.worker();
    await worker.start();
    const cancelled = nextEvent(worker, "job:cancelled");
    await t.enqueue();
    expect((await cancelled).error).toBeInstanceOf(CancelledError);
    expect(worker.stats).toMatchObject({ cancelled: 1, failed: 0 });
  });

  test("a task that this worker does not know", async () => {
    await using app = memoryApp({ logger: SILENT });
    const event = await failureOf(app, () => app.send("elsewhere", { broadcast: true }));
    expect(event).toMatchObject({ task: "elsewhere", error: expect.any(UnknownTaskError) });
  });

  test("a body that cannot be read", async () => {
    const driver = memory({ name: "unreadable" });
    await using app = new Taskwright({ broker: driver, logger: SILENT });
    await app.connect();
    const other = await driver.connect({
      clock: { now: Date.now, schedule: () => () => {} },
      random: Math.random,
      logger: SILENT,
    });
    const job = { id: "x", queue: "default", priority: 0, body: new Uint8Array([0xc1]), task: "t" };
    const event = await failureOf(app, () => other.broadcaster?.publish([job]) ?? Promise.reject(new Error("none")));
    expect(event).toMatchObject({ id: "x", task: "?", error: expect.any(UnreadableError) });
    await other.close();
  });

  test("arguments that do not fit, where the sender has no schema", async () => {
    await using app = memoryApp({ logger: SILENT });
    app.task("t", { broadcast: true, input: z.number() }, (n) => n);
    const stub = app.remoteTask<[string], void>("t", { broadcast: true });
    expect((await failureOf(app, () => stub.enqueue("text"))).error).toBeInstanceOf(ValidationError);
  });

  test("one that takes longer than its timeout", async () => {
    const clock = new FakeClock();
    await using app = memoryApp({ clock, logger: SILENT });
    const t = app.task("t", { broadcast: true, timeout: "1s" }, () => aborted(currentJob().signal));
    const event = await failureOf(app, async () => {
      await t.enqueue();
      await clock.advance("1s");
    });
    expect(event).toMatchObject({ error: expect.any(TimeoutError), duration: 1000 });
  });

  test("one worker's failure is not another's", async () => {
    const ends: string[] = [];
    const [first, second] = apps(2, "apart", (app, index) => {
      app.task("t", { broadcast: true }, () => {
        if (index === 0) throw new Error("no");
      });
      app.on("broadcast:failed", () => void ends.push(`${index} failed`));
      app.on("job:completed", () => void ends.push(`${index} completed`));
    });
    await first?.worker().start();
    await second?.worker().start();
    await first?.send("t");
    await untilRun(ends, 2);
    expect(ends.sort()).toEqual(["0 failed", "1 completed"]);
  });
});
