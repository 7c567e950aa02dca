import { BrokerError, type CurrentJob, currentJob, LeaseLostError, Taskwright } from "taskwright";
import { memory } from "taskwright/drivers/memory";
import { FakeClock } from "taskwright/testing";
import { expect, test } from "vitest";
import { deferred, nextEvent, RecordingLogger, recordEvents, tapped } from "./support.js";

/** Two apps on one place. The first one's heartbeats are held back while `blocked`. */
function twoApps() {
  const place = memory();
  const clock = new FakeClock();
  const gate = { blocked: false, open: deferred() };
  const slow = tapped(place, async (call, next) => {
    if (call.method === "extend" && gate.blocked) await gate.open.promise;
    return next();
  });
  const logger = new RecordingLogger();
  const first = new Taskwright({ broker: slow, clock, logger });
  const second = new Taskwright({ broker: place, clock });
  return { first, second, clock, gate, logger };
}

const LEASES = { lease: "30s", heartbeat: "10s", concurrency: 1 } as const;

test("a job that takes longer than its lease is kept by heartbeats and runs once", async () => {
  const { first, second, clock } = twoApps();
  await using _one = first;
  await using _two = second;
  const goOn = deferred();
  let runs = 0;
  first.task("long", async () => {
    runs += 1;
    await goOn.promise;
    return "done";
  });
  second.task("long", () => void runs++);
  await using one = first.worker(LEASES);
  await one.start();
  const job = await first.send("long");
  await clock.advance(0);
  await using two = second.worker(LEASES);
  await two.start();
  await clock.advance("10m");
  expect(await job.state()).toBe("active");
  goOn.resolve();
  expect(await job.result()).toBe("done");
  expect(runs).toBe(1);
});

test("a worker whose heartbeats do not come through loses its job; its signal aborts and its result is dropped", async () => {
  const { first, second, clock, gate, logger } = twoApps();
  await using _one = first;
  await using _two = second;
  const [started, goOn] = [deferred<CurrentJob>(), deferred()];
  first.task("long", async () => {
    started.resolve(currentJob());
    await goOn.promise;
    return "first";
  });
  second.task("long", () => `second, attempt ${currentJob().attempt}`);
  await using one = first.worker(LEASES);
  await one.start();
  const job = await first.send("long");
  const own = await started.promise;
  expect(own.signal.aborted).toBe(false);
  gate.blocked = true;
  await using two = second.worker(LEASES);
  await two.start();
  const events = recordEvents(one, "job:lost", "job:completed");
  await clock.advance("2m");
  expect(await job.result()).toBe("second, attempt 2");
  expect(events).toEqual([]);
  gate.blocked = false;
  gate.open.resolve();
  await clock.advance(0);
  expect(own.signal.aborted).toBe(true);
  expect(own.signal.reason).toBeInstanceOf(LeaseLostError);
  expect(events.map(({ name }) => name)).toEqual(["job:lost"]);
  expect(await own.extend()).toBe(false);
  goOn.resolve();
  await clock.advance(0);
  expect(one.stats).toMatchObject({ lost: 1, completed: 0, active: 0 });
  expect(await job.result()).toBe("second, attempt 2");
  expect(logger.messages("warn")).toContain("the handler returned after its attempt had ended; its result is dropped");
});

test("a worker that comes back after its lease passed settles nothing", async () => {
  const { first, second, clock, gate } = twoApps();
  await using _one = first;
  await using _two = second;
  const [started, goOn, secondRuns, secondGoOn] = [deferred(), deferred(), deferred(), deferred()];
  first.task("long", async () => {
    started.resolve();
    await goOn.promise;
    return "first";
  });
  second.task("long", async () => {
    secondRuns.resolve();
    await secondGoOn.promise;
    return "second";
  });
  await using one = first.worker(LEASES);
  await one.start();
  const job = await first.send("long");
  await started.promise;
  gate.blocked = true;
  await using two = second.worker(LEASES);
  await two.start();
  await clock.advance("1m");
  await secondRuns.promise;
  const lost = nextEvent(one, "job:lost");
  goOn.resolve();
  expect(await lost).toMatchObject({ id: job.id, attempt: 1, worker: one.id });
  expect(await job.state()).toBe("active");
  secondGoOn.resolve();
  expect(await job.result()).toBe("second");
  gate.open.resolve();
});

test("heartbeats that fail are told, and go on", async () => {
  const place = memory();
  const clock = new FakeClock();
  let failing = true;
  const driver = tapped(place, (call, next) => {
    if (call.method === "extend" && failing) throw new BrokerError("no answer");
    return next();
  });
  await using app = new Taskwright({ broker: driver, clock });
  const goOn = deferred();
  app.task("long", async () => {
    await goOn.promise;
    return "done";
  });
  await using worker = app.worker(LEASES);
  const errors = recordEvents(worker, "worker:error");
  await worker.start();
  const job = await app.send("long");
  await clock.advance("25s");
  expect(errors).toHaveLength(2);
  failing = false;
  await clock.advance("10m");
  goOn.resolve();
  expect(await job.result()).toBe("done");
  await worker.stop();
  expect(worker.stats).toMatchObject({ completed: 1, lost: 0 });
});
