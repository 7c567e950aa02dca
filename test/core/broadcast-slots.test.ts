import { CancelledError, currentJob, ShutdownError, Taskwright, UnsupportedError } from "taskwright";
import { memory } from "taskwright/drivers/memory";
import { FakeClock } from "taskwright/testing";
import { describe, expect, test } from "vitest";
import { SILENT, untilRun } from "./broadcasts.js";
import { aborted, deferred, memoryApp, nextEvent, recordEvents, tapped } from "./support.js";

describe("the slots of broadcasts", () => {
  test("are their own: a leased job starts beside them, and as many of them run at once as the worker may", async () => {
    await using app = memoryApp();
    const gate = deferred();
    let running = 0;
    let most = 0;
    const slow = app.task("slow", { broadcast: true }, async () => {
      most = Math.max(most, ++running);
      await gate.promise;
      running -= 1;
    });
    const quick = app.task("quick", () => "done");
    await using worker = app.worker({ concurrency: 2 });
    await worker.start();
    const ended = recordEvents(worker, "job:completed");
    await slow.enqueueMany([[], [], [], [], []]);
    expect(await quick.enqueue().result()).toBe("done");
    expect(worker.stats).toMatchObject({ active: 2, prefetched: 3 });
    gate.resolve();
    await untilRun(ended, 6);
    expect(most).toBe(2);
  });

  test("are waited for as long as it takes: nobody else could run what is broadcast to this worker", async () => {
    const clock = new FakeClock();
    await using app = memoryApp({ clock });
    const gate = deferred();
    const slow = app.task("slow", { broadcast: true }, () => gate.promise);
    await using worker = app.worker({ concurrency: 1 });
    await worker.start();
    const ended = recordEvents(worker, "job:completed");
    await slow.enqueueMany([[], [], []]);
    await clock.advance("5s");
    expect(worker.stats).toMatchObject({ active: 1, prefetched: 2, released: 0 });
    gate.resolve();
    await untilRun(ended, 3);
  });

  test("have a bounded line before them: what comes on top is dropped, and told of", async () => {
    await using app = memoryApp({ logger: SILENT });
    const gate = deferred();
    const t = app.task("t", { broadcast: true }, () => gate.promise);
    await using worker = app.worker({ concurrency: 1 });
    await worker.start();
    const completed = recordEvents(worker, "job:completed");
    const failed = recordEvents(worker, "broadcast:failed");
    await t.enqueue();
    await t.enqueueMany(Array.from({ length: 1003 }, () => []));
    expect(failed.map(({ event }) => (event as { error: unknown }).error)).toEqual(
      new Array(3).fill(expect.any(CancelledError)),
    );
    gate.resolve();
    await untilRun(completed, 1001);
    expect(worker.stats).toMatchObject({ completed: 1001, failed: 3 });
  });
});

describe("a worker that stops", () => {
  test("hears no more, lets running broadcasts finish, and drops those that wait", async () => {
    await using app = memoryApp({ logger: SILENT });
    const gate = deferred();
    const ran: number[] = [];
    const t = app.task("t", { broadcast: true }, async (n: number) => {
      await gate.promise;
      ran.push(n);
    });
    await using worker = app.worker({ concurrency: 1 });
    const failed = recordEvents(worker, "broadcast:failed");
    await worker.start();
    await t.enqueueMany([[1], [2]]);
    const stopped = worker.stop();
    await nextTurn();
    await t.enqueue(3);
    gate.resolve();
    await stopped;
    expect(ran).toEqual([1]);
    expect(failed.map(({ event }) => (event as { error: unknown }).error)).toEqual([expect.any(ShutdownError)]);
    expect(worker.stats).toMatchObject({ completed: 1, failed: 1, released: 0 });
  });

  test("aborts those that outlive its grace", async () => {
    await using app = memoryApp({ logger: SILENT });
    const [started, reason] = [deferred(), deferred<unknown>()];
    const t = app.task("t", { broadcast: true }, () => {
      started.resolve();
      return aborted(currentJob().signal).catch(reason.resolve);
    });
    await using worker = app.worker();
    const failed = nextEvent(worker, "broadcast:failed");
    await worker.start();
    await t.enqueue();
    await started.promise;
    await worker.stop({ grace: 0 });
    expect(await reason.promise).toBeInstanceOf(ShutdownError);
    expect((await failed).error).toBeInstanceOf(ShutdownError);
  });

  test("does not start where it cannot listen, and leaves nothing open", async () => {
    const calls: string[] = [];
    const driver = tapped(memory(), (call, next) => {
      calls.push(`${call.contract}.${call.method}`);
      if (call.method === "subscribe") throw new UnsupportedError("no listening today");
      return next();
    });
    await using app = new Taskwright({ broker: driver });
    await expect(app.worker().start()).rejects.toThrow("no listening today");
    expect(calls).toContain("consumer.close");
  });
});

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
