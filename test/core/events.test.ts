import { currentJob, Discard, Snooze, Taskwright } from "taskwright";
import { memory } from "taskwright/drivers/memory";
import { FakeClock } from "taskwright/testing";
import { describe, expect, test } from "vitest";
import { deferred, memoryApp, nextEvent, RecordingLogger, recordEvents } from "./support.js";

const JOB_EVENTS = [
  "job:enqueued",
  "job:started",
  "job:completed",
  "job:retrying",
  "job:dead",
  "job:cancelled",
  "job:released",
] as const;

test("each step in the life of a job is told, on the worker and on its app", async () => {
  const clock = new FakeClock();
  await using app = memoryApp({ clock });
  const work = app.task("work", { attempts: 2, backoff: "1s" }, (how: string) => {
    if (how === "ok") return 1;
    if (how === "discard") throw new Discard("no");
    if (how === "snooze") throw new Snooze("1h");
    throw new RangeError("no");
  });
  await using worker = app.worker();
  const [ofApp, ofWorker] = [recordEvents(app, ...JOB_EVENTS), recordEvents(worker, ...JOB_EVENTS)];
  await worker.start();
  const told: Record<string, string[]> = {};
  for (const how of ["ok", "discard", "snooze", "fail"]) {
    const job = await work.enqueue(how);
    await clock.advance("5s");
    told[how] = ofApp.filter(({ event }) => (event as { id: string }).id === job.id).map(({ name }) => name);
  }
  expect(told).toEqual({
    ok: ["job:enqueued", "job:started", "job:completed"],
    discard: ["job:enqueued", "job:started", "job:cancelled"],
    snooze: ["job:enqueued", "job:started", "job:released"],
    fail: ["job:enqueued", "job:started", "job:retrying", "job:started", "job:dead"],
  });
  expect(ofWorker).toEqual(ofApp.filter(({ name }) => name !== "job:enqueued"));
  const base = { task: "work", queue: "default", worker: worker.id, attempt: 1, duration: 0 };
  const find = (name: string) => ofWorker.find((one) => one.name === name)?.event;
  expect(find("job:completed")).toMatchObject(base);
  expect(find("job:retrying")).toMatchObject({ ...base, delay: 1000, error: new RangeError("no") });
  expect(find("job:dead")).toMatchObject({ ...base, attempt: 2, reason: "failed", error: new RangeError("no") });
  expect(find("job:released")).toMatchObject({ ...base, delay: 3_600_000 });
});

test("the life of a worker is told", async () => {
  await using app = memoryApp();
  const events = recordEvents(app, "worker:started", "worker:stopping", "worker:stopped");
  const worker = app.worker({ queues: ["a", "b"] });
  await worker.start();
  await worker.stop();
  expect(events).toEqual([
    { name: "worker:started", event: { worker: worker.id, queues: ["a", "b"] } },
    { name: "worker:stopping", event: { worker: worker.id, active: 0 } },
    { name: "worker:stopped", event: { worker: worker.id } },
  ]);
});

test("events are local: another app on the same broker hears nothing", async () => {
  const broker = memory();
  await using one = new Taskwright({ broker });
  await using other = new Taskwright({ broker });
  const events = recordEvents(other, ...JOB_EVENTS);
  await one.task("t", () => 1).enqueue();
  await one.drain();
  expect(events).toEqual([]);
});

test("off() ends a subscription, and a listener given twice hears twice", async () => {
  await using app = memoryApp();
  let heard = 0;
  const listener = () => void heard++;
  app.on("job:enqueued", listener).on("job:enqueued", listener);
  const t = app.task("t", () => 1);
  await t.enqueue();
  expect(heard).toBe(2);
  app.off("job:enqueued", listener);
  await t.enqueue();
  expect(heard).toBe(3);
});

describe("a listener that fails", () => {
  const ways: [string, () => void][] = [
    [
      "throws",
      () => {
        throw new Error("listener");
      },
    ],
    ["rejects", () => Promise.reject(new Error("listener")) as never],
  ];
  test.each(ways)("and %s leaves no job unsettled, no listener unheard and no worker broken", async (_, fail) => {
    const logger = new RecordingLogger();
    await using app = memoryApp({ logger });
    const t = app.task("t", { attempts: 2, backoff: 0 }, (how: string) => {
      if (how === "discard") throw new Discard("no");
      if (how === "fail" && currentJob().attempt <= 2) throw new Error("no");
    });
    await using worker = app.worker();
    let heard = 0;
    for (const name of JOB_EVENTS) {
      worker.on(name, fail);
      app.on(name, fail);
      app.on(name, () => void heard++);
    }
    app.on("worker:started", fail);
    await worker.start();
    const dead = nextEvent(app, "job:dead");
    const jobs = await t.enqueueMany([["ok"], ["discard"], ["fail"]]);
    await dead;
    expect(await Promise.all(jobs.map((job) => job.state()))).toEqual(["completed", "cancelled", "dead"]);
    expect(worker.stats).toMatchObject({ completed: 1, cancelled: 1, retried: 1, dead: 1, active: 0 });
    expect(heard).toBe(3 + 4 + 4);
    const again = await t.enqueue("ok");
    await again.result();
    expect(logger.messages("error")).toContain("a listener of job:dead threw");
  });
});

test("a listener that enqueues another job is served", async () => {
  await using app = memoryApp();
  const second = deferred<string>();
  const next = app.task("next", (id: string) => second.resolve(id));
  const first = app.task("first", () => 1);
  app.on("job:completed", ({ task, id }) => {
    if (task === "first") void next.enqueue(id);
  });
  await using worker = app.worker();
  await worker.start();
  const job = await first.enqueue();
  expect(await second.promise).toBe(job.id);
});
