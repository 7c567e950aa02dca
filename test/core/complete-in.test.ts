import {
  type CurrentJob,
  currentJob,
  type EventName,
  LeaseLostError,
  type Middleware,
  Taskwright,
  type TaskwrightOptions,
  UnsupportedError,
} from "taskwright";
import { memory } from "taskwright/drivers/memory";
import { sqlite } from "taskwright/drivers/sqlite";
import { describe, expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import type { UserDatabase } from "../../src/drivers/sqlite/clients/adopt.js";
import { CLIENTS, connect, openDatabase } from "../drivers/sqlite/support.js";
import { temporaryFolder } from "../support/temporary.js";
import { aborted, deferred, memoryApp, nextEvent, RecordingLogger, recordEvents } from "./support.js";

const [client = "libsql"] = CLIENTS;

const ENDS: EventName[] = ["job:completed", "job:retrying", "job:dead", "job:cancelled", "job:lost"];

/** An app on a file, and a table of the user's in it, on a connection of the user's. */
async function shop(options: TaskwrightOptions = {}) {
  const folder = await temporaryFolder();
  const path = `${folder.path}/jobs.db`;
  const logger = new RecordingLogger();
  const driver = sqlite({ path, client, synchronous: "NORMAL", busyTimeout: 500 });
  const app = new Taskwright({ broker: driver, logger, defaults: { backoff: 1 }, ...options });
  await app.connect();
  const database = openDatabase(client, path);
  database.exec("CREATE TABLE orders (id INTEGER)");
  onTestFinished(async () => {
    await app.close();
    database.close();
    await folder.remove();
  });
  const orders = () => database.prepare("SELECT id FROM orders ORDER BY id").all();
  return { app, path, database, orders, logger, ends: recordEvents(app, ...ENDS) };
}

/** Writes an order, and ends the transaction as told after `work`. */
async function order(database: UserDatabase, id: number, end: "COMMIT" | "ROLLBACK", work: () => Promise<void>) {
  database.exec("BEGIN IMMEDIATE");
  try {
    database.exec(`INSERT INTO orders VALUES (${id})`);
    await work();
    database.exec(end);
  } catch (error) {
    database.exec("ROLLBACK");
    throw error;
  }
}

/** Runs everything, retries too, until the job has ended. */
async function runToEnd(app: Taskwright, job: { result(): Promise<unknown> }): Promise<unknown> {
  const worker = app.worker();
  await worker.start();
  const result = await job.result().catch((error: unknown) => error);
  await worker.stop();
  return result;
}

describe("completeIn, where the transaction commits", () => {
  test("completes the job with its effect and its result, once", async () => {
    const { app, database, orders, ends } = await shop();
    const pay = app.task("pay", (id: number) =>
      order(database, id, "COMMIT", () => currentJob().completeIn(database, `paid ${id}`)),
    );
    const job = await pay.enqueue(7);
    expect(await runToEnd(app, job)).toBe("paid 7");
    expect(orders()).toEqual([{ id: 7 }]);
    expect(ends.map(({ name }) => name)).toEqual(["job:completed"]);
    expect(await job.state()).toBe("completed");
    expect(await app.inspect.find(job.id)).toBeUndefined();
  });

  test("shows the hooks what the handler returned, and then what was saved, in their order", async () => {
    const { app, database } = await shop();
    const seen: unknown[] = [];
    const layer = (name: string): Middleware => ({
      postExecute: (_, outcome) => void seen.push([name, "postExecute", outcome]),
      onError: () => void seen.push([name, "onError"]),
      postSave: (_, outcome) => void seen.push([name, "postSave", outcome]),
    });
    app.use(layer("outer"), layer("inner"));
    const pay = app.task("pay", async (id: number) => {
      await order(database, id, "COMMIT", () => currentJob().completeIn(database, "kept"));
      return "dropped";
    });
    expect(await runToEnd(app, await pay.enqueue(7))).toBe("kept");
    const saved = { ok: true, value: "kept", state: "completed" };
    expect(seen).toEqual([
      ["inner", "postExecute", { ok: true, value: "dropped" }],
      ["outer", "postExecute", { ok: true, value: "dropped" }],
      ["inner", "postSave", saved],
      ["outer", "postSave", saved],
    ]);
  });

  test("holds what was enqueued in the same transaction", async () => {
    const { app, database } = await shop();
    const ship = app.task("ship", (id: number) => `shipped ${id}`);
    let shipping: Promise<unknown> | undefined;
    const pay = app.task("pay", (id: number) =>
      order(database, id, "COMMIT", async () => {
        const job = await ship.with({ tx: database }).enqueue(id);
        shipping = job.result();
        await currentJob().completeIn(database);
      }),
    );
    const job = await pay.enqueue(7);
    expect(await app.drain()).toMatchObject({ completed: 2 });
    expect(await job.result()).toBeUndefined();
    expect(await shipping).toBe("shipped 7");
  });

  test("stays so where the handler throws afterwards, and says that in the log", async () => {
    const { app, database, logger } = await shop();
    const pay = app.task("pay", async (id: number) => {
      await order(database, id, "COMMIT", () => currentJob().completeIn(database, "paid"));
      throw new Error("too late");
    });
    expect(await runToEnd(app, await pay.enqueue(7))).toBe("paid");
    expect(logger.messages("warn")).toEqual(["the handler threw after its job was completed: that stays so"]);
  });

  test("stays so where the attempt ran out of time in between", async () => {
    const { app, database, orders, ends } = await shop();
    const pay = app.task("pay", { timeout: 50 }, (id: number) =>
      order(database, id, "COMMIT", async () => {
        const { signal } = currentJob();
        await currentJob().completeIn(database, "paid");
        await aborted(signal).catch(() => {});
      }),
    );
    expect(await runToEnd(app, await pay.enqueue(7))).toBe("paid");
    expect(orders()).toHaveLength(1);
    expect(ends.map(({ name }) => name)).toEqual(["job:completed"]);
  });

  test("keeps the outcome in another backend after the commit", async () => {
    const { app, database } = await shop({ backend: memory() });
    const pay = app.task("pay", (id: number) =>
      order(database, id, "COMMIT", () => currentJob().completeIn(database, "paid")),
    );
    expect(await runToEnd(app, await pay.enqueue(7))).toBe("paid");
  });

  test("checks the result by the task's schema, and what the handler returns no more", async () => {
    const { app, database, orders } = await shop();
    const output = z.string().transform((text) => text.length);
    const pay = app.task("pay", { output, attempts: 2 }, async (...[id]: [number]) => {
      const { attempt } = currentJob();
      await order(database, id, "COMMIT", () => currentJob().completeIn(database, attempt === 1 ? 3 : "paid"));
      return undefined as never;
    });
    expect(await runToEnd(app, await pay.enqueue(7))).toBe(4);
    expect(orders()).toHaveLength(1);
  });
});

describe("completeIn, where the transaction does not commit", () => {
  test("a handler that throws is tried again", async () => {
    const { app, database, orders, ends } = await shop();
    const pay = app.task("pay", (id: number) =>
      order(database, id, "COMMIT", async () => {
        const { attempt } = currentJob();
        await currentJob().completeIn(database, attempt);
        if (attempt < 3) throw new Error("no");
      }),
    );
    const job = await pay.enqueue(7);
    expect(await runToEnd(app, job)).toBe(3);
    expect(orders()).toEqual([{ id: 7 }]);
    expect(ends.map(({ name }) => name)).toEqual(["job:retrying", "job:retrying", "job:completed"]);
  });

  test("a handler that returns has not done its work, and is tried again", async () => {
    const { app, database, orders, ends } = await shop();
    const errors: unknown[] = [];
    app.use({ onError: (_, error) => void errors.push(String(error)) });
    const pay = app.task("pay", { attempts: 2 }, (id: number) =>
      order(database, id, "ROLLBACK", () => currentJob().completeIn(database)),
    );
    const error = await runToEnd(app, await pay.enqueue(7));
    expect(String(error)).toMatch(/the transaction that it gave to completeIn\(\) was not committed/);
    expect(orders()).toEqual([]);
    expect(ends.map(({ name }) => name)).toEqual(["job:retrying", "job:dead"]);
    expect(errors).toHaveLength(2);
  });

  test("it may be given another transaction", async () => {
    const { app, database, orders } = await shop();
    const pay = app.task("pay", async (id: number) => {
      await order(database, id, "ROLLBACK", () => currentJob().completeIn(database, "first"));
      await order(database, id, "COMMIT", () => currentJob().completeIn(database, "second"));
    });
    expect(await runToEnd(app, await pay.enqueue(7))).toBe("second");
    expect(orders()).toHaveLength(1);
  });

  test("a worker that has to go leaves the job, and another one runs it", async () => {
    const { app, database, orders } = await shop({ worker: { lease: 200, heartbeat: 50, sweep: 50 } });
    const inside = deferred();
    const go = deferred();
    const pay = app.task("pay", (id: number) =>
      order(database, id, "COMMIT", async () => {
        const { attempt, completeIn, signal } = withBound(currentJob());
        await completeIn(database, attempt);
        if (attempt > 1) return;
        inside.resolve();
        await aborted(signal).catch(() => go.promise);
        throw new Error("gone");
      }),
    );
    const job = await pay.enqueue(7);
    const worker = app.worker();
    await worker.start();
    await inside.promise;
    const lost = nextEvent(app, "job:lost");
    await worker.stop({ grace: 0 });
    await lost;
    go.resolve();
    expect(await runToEnd(app, job)).toBe(2);
    expect(orders()).toEqual([{ id: 7 }]);
  });
});

function withBound(job: CurrentJob) {
  return { attempt: job.attempt, signal: job.signal, completeIn: job.completeIn.bind(job) };
}

describe("completeIn is refused", () => {
  test("where the lease was lost, and the effect is rolled back", async () => {
    const { app, path, database, orders, ends } = await shop({ worker: { lease: 60_000, heartbeat: 20_000 } });
    const later = { now: () => Date.now() + 120_000, schedule: () => () => {} };
    const other = await connect({ path, client }, later);
    let thrown: unknown;
    const pay = app.task("pay", (id: number) => {
      const { attempt } = currentJob();
      return order(database, attempt, "COMMIT", async () => {
        if (attempt > 1) return currentJob().completeIn(database, `paid ${id}`);
        database.exec("COMMIT");
        await other.broker.sweep({ max: 10, delay: -120_000, jitter: 0 });
        database.exec("BEGIN IMMEDIATE; INSERT INTO orders VALUES (0)");
        await currentJob()
          .completeIn(database)
          .catch((error: unknown) => {
            thrown = error;
            throw error;
          });
      });
    });
    expect(await runToEnd(app, await pay.enqueue(7))).toBe("paid 7");
    expect(thrown).toBeInstanceOf(LeaseLostError);
    expect(orders()).toEqual([{ id: 1 }, { id: 2 }]);
    expect(ends.map(({ name }) => name).sort()).toEqual(["job:completed", "job:lost"]);
  });

  test("the second time, once the first was committed", async () => {
    const { app, database } = await shop();
    let thrown: unknown;
    const pay = app.task("pay", async (id: number) => {
      await order(database, id, "COMMIT", () => currentJob().completeIn(database, "first"));
      thrown = await order(database, id, "COMMIT", () => currentJob().completeIn(database)).catch((error) => error);
    });
    expect(await runToEnd(app, await pay.enqueue(7))).toBe("first");
    expect(thrown).toBeInstanceOf(LeaseLostError);
  });

  test("where the job was settled before it ran, or is a broadcast", async () => {
    const { app, database } = await shop();
    const pay = app.task("pay", { delivery: "at-most-once" }, () => currentJob().completeIn(database));
    expect(String(await runToEnd(app, await pay.enqueue()))).toMatch(/was settled before it ran.*nothing left/);
    await using local = memoryApp({
      logger: new RecordingLogger(),
      broker: { ...memory(), capabilities: sqlite().capabilities },
    });
    const heard = nextEvent(local, "broadcast:failed");
    const all = local.task("all", { broadcast: true }, () => currentJob().completeIn(database));
    await using worker = local.worker();
    await worker.start();
    await all.enqueue();
    expect(String((await heard).error)).toMatch(/is a broadcast/);
  });

  test("where the broker has no transactions", async () => {
    await using app = memoryApp();
    const pay = app.task("pay", { attempts: 1 }, () => currentJob().completeIn({}));
    const job = await pay.enqueue();
    await app.drain();
    await expect(job.result()).rejects.toThrow(UnsupportedError);
    await expect(job.result()).rejects.toThrow("memory cannot enqueue or complete jobs inside a transaction");
  });

  test("not where a task is called directly: there is no job to complete", async () => {
    await using app = memoryApp();
    const pay = app.task("pay", async () => {
      await currentJob().completeIn({});
      return "paid";
    });
    expect(await pay()).toBe("paid");
  });
});
