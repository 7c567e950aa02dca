import { BrokerError, type Driver, Taskwright } from "taskwright";
import type { OutgoingJob } from "taskwright/contracts";
import { memory } from "taskwright/drivers/memory";
import { FakeClock } from "taskwright/testing";
import { describe, expect, test } from "vitest";
import type { DriverCall } from "../../src/intercept.js";
import { deferred, nextEvent, RecordingLogger, tapped } from "./support.js";

/** A broker that cannot tell whether it has an id, and the ids that were published to it. */
function forgetful(publish: (jobs: readonly OutgoingJob[]) => Promise<void> = async () => {}) {
  const published: string[] = [];
  const driver = tapped(memory(), async (call, next) => {
    if (call.method !== "publish") return next();
    const jobs = call.args[0] as readonly OutgoingJob[];
    await publish(jobs);
    expect(jobs.every(({ unique }) => unique === undefined)).toBe(true);
    published.push(...jobs.map(({ id }) => id));
    return next();
  });
  const broker: Driver = { ...driver, capabilities: { ...driver.capabilities, idempotentIds: false } };
  return { broker, published };
}

/** Fails the next publish, once. */
function failing(outcome: "none" | "unknown") {
  let fails = true;
  return async (): Promise<void> => {
    if (!fails) return;
    fails = false;
    throw new BrokerError("the server is away", { outcome });
  };
}

function setUp(broker: Driver, backend: Driver = memory()) {
  const clock = new FakeClock();
  const logger = new RecordingLogger();
  const app = new Taskwright({ broker, backend, clock, logger });
  const add = app.task("add", (a: number, b: number) => a + b);
  return { app, add, once: add.with({ id: "once" }), clock, logger };
}

describe("an id of the caller's own, where the broker cannot look for it", () => {
  test("makes the job unique by the coordinator of the backend: one by one, at once, and in one call", async () => {
    const { broker, published } = forgetful();
    const { app, once, add, clock } = setUp(broker);
    await using _ = app;
    expect((await once.enqueue(1, 2)).duplicate).toBe(false);
    expect((await once.enqueue(1, 2)).duplicate).toBe(true);
    const together = Promise.all(Array.from({ length: 20 }, () => add.with({ id: "together" }).enqueue(1, 2)));
    await clock.advance("1s");
    expect((await together).filter(({ duplicate }) => !duplicate)).toHaveLength(1);
    const many = add.with({ id: "many" }).enqueueMany([
      [1, 2],
      [3, 4],
    ]);
    await clock.advance("1s");
    expect((await many).filter(({ duplicate }) => !duplicate)).toHaveLength(1);
    expect(published).toEqual(["once", "together", "many"]);
    expect((await add.enqueue(5, 6)).duplicate).toBe(false);
  });

  test("is given back when the job was certainly not published", async () => {
    const { broker, published } = forgetful(failing("none"));
    const { app, once } = setUp(broker);
    await using _ = app;
    await expect(once.enqueue(1, 2)).rejects.toThrow("the server is away");
    expect((await once.enqueue(1, 2)).duplicate).toBe(false);
    expect(published).toEqual(["once"]);
  });

  test("is held for a moment when nobody knows whether the job is there: the next call waits, and is no duplicate", async () => {
    const { broker, published } = forgetful(failing("unknown"));
    const { app, once, clock } = setUp(broker);
    await using _ = app;
    await expect(once.enqueue(1, 2)).rejects.toMatchObject({ outcome: "unknown" });
    const next = once.enqueue(1, 2);
    await clock.advance("19s");
    expect(published).toEqual([]);
    await clock.advance("2s");
    expect((await next).duplicate).toBe(false);
    expect(published).toEqual(["once"]);
  });

  test("is a duplicate only once the broker has the other job: who comes meanwhile waits for what becomes of it", async () => {
    const [onItsWay, goOn] = [deferred(), deferred()];
    let calls = 0;
    const { broker, published } = forgetful(async () => {
      if (++calls > 1) return;
      onItsWay.resolve();
      await goOn.promise;
      throw new BrokerError("it is full", { outcome: "none" });
    });
    const { app, once, clock } = setUp(broker);
    await using _ = app;
    const first = once.enqueue(1, 2);
    first.catch(() => {});
    await onItsWay.promise;
    const second = once.enqueue(1, 2);
    await clock.advance("1s");
    goOn.resolve();
    await expect(first).rejects.toThrow("it is full");
    await clock.advance("1s");
    expect((await second).duplicate).toBe(false);
    expect(published).toEqual(["once"]);
  });

  test("stays taken for a day from when its job is due, and for as long as its outcome is kept", async () => {
    const { broker, published } = forgetful();
    const { app, add, clock } = setUp(broker);
    await using _ = app;
    const [later, kept] = [
      add.with({ id: "later", delay: "2d", result: { ttl: "1h" } }),
      add.with({ id: "kept", result: { ttl: "3d" } }),
    ];
    await later.enqueue(1, 2);
    await kept.enqueue(1, 2);
    await app.drain();
    await clock.advance("2d");
    await app.drain();
    await clock.advance("23h");
    expect((await later.enqueue(1, 2)).duplicate).toBe(true);
    expect((await kept.enqueue(1, 2)).duplicate).toBe(true);
    await clock.advance("2h");
    expect((await later.enqueue(1, 2)).duplicate).toBe(false);
    expect((await kept.enqueue(1, 2)).duplicate).toBe(false);
    expect(published).toEqual(["later", "kept", "later", "kept"]);
  });

  test("is free again when its outcome is forgotten, which a job that has not ended has none of", async () => {
    const { broker } = forgetful();
    const { app, once } = setUp(broker);
    await using _ = app;
    const job = await once.enqueue(1, 2);
    expect(await job.forget()).toBe(false);
    expect((await once.enqueue(1, 2)).duplicate).toBe(true);
    await app.drain();
    expect(await job.forget()).toBe(true);
    expect((await once.enqueue(1, 2)).duplicate).toBe(false);
  });

  test("fails with the coordinator, and publishes nothing; a claim that cannot be kept is told of", async () => {
    const down = (method: string, nth: number) => {
      let calls = 0;
      return tapped(memory(), async (call: DriverCall, next) => {
        if (call.contract === "coordinator" && call.method === method && ++calls === nth) throw new BrokerError("down");
        return next();
      });
    };
    const first = forgetful();
    const one = setUp(first.broker, down("put", 1));
    await expect(one.once.enqueue(1, 2)).rejects.toThrow("down");
    expect(first.published).toEqual([]);
    await one.app.close();
    const second = forgetful();
    const two = setUp(second.broker, down("put", 2));
    expect((await two.once.enqueue(1, 2)).duplicate).toBe(false);
    expect(two.logger.messages("warn")).toEqual(["the id of a job could not be kept: it is free again in a moment"]);
    await two.app.close();
  });
});

describe("a job that comes once more after it has completed", () => {
  /** A broker whose claims say that each job was tried before, as a copy of one that was retried. */
  function redelivering(): Driver {
    const driver = tapped(memory(), async (call, next) => {
      const answer = await next();
      if (call.method !== "claim") return answer;
      return (answer as object[]).map((job) => ({ ...job, attempt: 2 }));
    });
    return { ...driver, capabilities: { ...driver.capabilities, idempotentIds: false } };
  }

  /** A backend that has an outcome of these ids. */
  function knowing(done: ReadonlySet<string>): Driver {
    return tapped(memory(), async (call, next) => {
      if (call.method !== "read") return next();
      const ids = call.args[0] as readonly string[];
      return ids.map((id) =>
        done.has(id) ? { id, state: "completed", attempt: 1, body: Buffer.from("") } : undefined,
      );
    });
  }

  test("does not run again, and is settled; the others of its claim run", async () => {
    const runs: number[] = [];
    const done = new Set<string>();
    const app = new Taskwright({ broker: redelivering(), backend: knowing(done), logger: new RecordingLogger() });
    await using _ = app;
    const note = app.task("note", { attempts: 9 }, (n: number) => void runs.push(n));
    await note.enqueue(1);
    done.add((await note.enqueue(2)).id);
    await note.enqueue(3);
    const last = nextEvent(app, "job:completed");
    await app.drain();
    await last;
    expect(runs).toEqual([1, 3]);
    expect(await app.inspect.queues()).toEqual([]);
  });
});
