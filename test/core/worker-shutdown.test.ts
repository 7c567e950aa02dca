import { currentJob, ShutdownError } from "taskwright";
import { FakeClock } from "taskwright/testing";
import { expect, test } from "vitest";
import { aborted, deferred, memoryApp, nextEvent } from "./support.js";

const SILENT = { debug() {}, info() {}, warn() {}, error() {} };

test("running jobs finish within the grace, nothing more is claimed, and what was fetched is given back", async () => {
  await using app = memoryApp();
  const [started, goOn] = [deferred(), deferred()];
  const ran: string[] = [];
  const t = app.task("t", async (name: string) => {
    started.resolve();
    await goOn.promise;
    ran.push(name);
    return name;
  });
  const [running, fetched, waiting] = await t.enqueueMany([["running"], ["fetched"], ["waiting"]]);
  const worker = app.worker({ concurrency: 1, prefetch: 1 });
  await worker.start();
  await started.promise;
  const stopping = worker.stop();
  expect(await fetched?.state()).toBe("active");
  goOn.resolve();
  await stopping;
  expect(await running?.state()).toBe("completed");
  expect([await fetched?.state(), await waiting?.state()]).toEqual(["waiting", "waiting"]);
  expect((await app.inspect.find(fetched?.id ?? ""))?.attempt).toBe(0);
  expect(ran).toEqual(["running"]);
  expect(worker.stats).toMatchObject({ completed: 1, released: 1, active: 0, prefetched: 0 });
});

test("after the grace the signal aborts with ShutdownError, and the job goes back uncounted", async () => {
  const clock = new FakeClock();
  await using app = memoryApp({ clock });
  const attempts: number[] = [];
  let reason: unknown;
  const t = app.task("t", { attempts: 1 }, async () => {
    attempts.push(currentJob().attempt);
    if (attempts.length > 1) return "done elsewhere";
    return aborted(currentJob().signal).catch((error: unknown) => {
      reason = error;
      throw error;
    });
  });
  const job = await t.enqueue();
  const worker = app.worker({ grace: "20s" });
  await worker.start();
  await clock.advance(0);
  const stopping = worker.stop();
  await clock.advance(19_999);
  expect(reason).toBeUndefined();
  await clock.advance(1);
  await stopping;
  expect(reason).toBeInstanceOf(ShutdownError);
  expect(worker.stats).toMatchObject({ released: 1, dead: 0, retried: 0 });
  expect(await app.inspect.find(job.id)).toMatchObject({ state: "waiting", attempt: 0, losses: 0, attempts: [] });
  await app.drain();
  expect(await job.result()).toBe("done elsewhere");
  expect(attempts).toEqual([1, 1]);
});

test("a handler that ignores the signal does not hold the worker up, and its late result is dropped", async () => {
  const clock = new FakeClock();
  await using app = memoryApp({ clock, logger: SILENT });
  const goOn = deferred();
  let runs = 0;
  const t = app.task("t", async () => {
    if (++runs > 1) return "second";
    await goOn.promise;
    return "first";
  });
  const job = await t.enqueue();
  const worker = app.worker();
  await worker.start();
  await clock.advance(0);
  await worker.stop({ grace: 0 });
  await app.drain();
  goOn.resolve();
  await clock.advance(0);
  expect(await job.result()).toBe("second");
});

test("a job that is timed out or cancelled during the grace is not released but ended", async () => {
  const clock = new FakeClock();
  await using app = memoryApp({ clock });
  const t = app.task("t", { attempts: 1 }, () => aborted(currentJob().signal));
  const [slow, unwanted] = [await t.with({ timeout: "5s" }).enqueue(), await t.enqueue()];
  const worker = app.worker({ grace: "30s" });
  await worker.start();
  await clock.advance(0);
  const stopping = worker.stop();
  await clock.advance("5s");
  await unwanted.cancel();
  await stopping;
  expect([await slow.state(), await unwanted.state()]).toEqual(["dead", "cancelled"]);
});

test("a second stop without grace cuts the first one short", async () => {
  const clock = new FakeClock();
  await using app = memoryApp({ clock });
  const t = app.task("t", () => aborted(currentJob().signal));
  const job = await t.enqueue();
  const worker = app.worker({ grace: "10m" });
  await worker.start();
  await clock.advance(0);
  const stopping = worker.stop();
  await clock.advance("1m");
  await Promise.all([worker.stop({ grace: 0 }), stopping]);
  expect(await job.state()).toBe("waiting");
});

test("a second stop with a shorter grace does so after that", async () => {
  const clock = new FakeClock();
  await using app = memoryApp({ clock });
  const job = await app.task("t", () => aborted(currentJob().signal)).enqueue();
  const worker = app.worker({ grace: "10m" });
  await worker.start();
  await clock.advance(0);
  let stopped = false;
  const stopping = worker.stop().then(() => {
    stopped = true;
  });
  void worker.stop({ grace: "5s" });
  await clock.advance(4999);
  expect(stopped).toBe(false);
  await clock.advance(1);
  await stopping;
  expect(await job.state()).toBe("waiting");
});

test("another worker goes on with what a stopping one gives back", async () => {
  await using app = memoryApp();
  const ran: string[] = [];
  const started = deferred();
  const t = app.task("t", async () => {
    ran.push(currentJob().id);
    if (ran.length > 1) return "second worker";
    started.resolve();
    return aborted(currentJob().signal);
  });
  const first = app.worker();
  await first.start();
  const job = await t.enqueue();
  await started.promise;
  await using second = app.worker();
  await second.start();
  const done = nextEvent(second, "job:completed");
  await first.stop({ grace: 0 });
  expect(await done).toMatchObject({ id: job.id, attempt: 1, worker: second.id });
  expect(await job.result()).toBe("second worker");
});
