import { spawnSync } from "node:child_process";
import { setImmediate as nextTurn } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, onTestFinished, test } from "vitest";
import type { OutcomeRecord } from "../../../src/contracts/index.js";
import { Watcher } from "../../../src/drivers/sqlite/watcher.js";
import {
  CLIENTS,
  type Contracts,
  complete,
  connect,
  consume,
  FakeClock,
  job,
  openClient,
  temporaryFile,
} from "./support.js";

const [client = "libsql"] = CLIENTS;

/** Two connections to one file, each as another process would have it. */
async function two(): Promise<{ clock: FakeClock; here: Contracts; there: Contracts }> {
  const path = temporaryFile();
  const clock = new FakeClock();
  return { clock, here: await connect({ path, client }, clock), there: await connect({ path, client }, clock) };
}

function outcome(id: string, attempt = 1): OutcomeRecord {
  return { id, state: "completed", attempt, body: Buffer.from(id) };
}

describe("watching the file", () => {
  test("costs no timer while nobody waits", async () => {
    const { clock, here } = await two();
    await here.broker.publish([job()]);
    expect(clock.pending).toBe(0);
    const unsubscribe = await here.notifier.subscribe({ kind: "outcome", id: "x" }, () => {});
    expect(clock.pending).toBe(1);
    unsubscribe();
    expect(clock.pending).toBe(0);
  });

  test("is one timer for 10,000 listeners, and each hears of its own outcome once", async () => {
    const { clock, here, there } = await two();
    const ids = Array.from({ length: 10_000 }, (_, index) => `job-${index}`);
    const heard = new Map<string, number>();
    for (const id of ids) {
      await here.notifier.subscribe({ kind: "outcome", id }, (told) => {
        if (told?.id === id) heard.set(id, (heard.get(id) ?? 0) + 1);
      });
    }
    expect(clock.pending).toBe(1);
    for (let from = 0; from < ids.length; from += 1000) {
      await there.backend.store(ids.slice(from, from + 1000).map((id) => outcome(id)));
      await clock.advance(10);
    }
    expect(heard.size).toBe(10_000);
    expect(new Set(heard.values())).toEqual(new Set([1]));
  });

  test("a single listener among many outcomes of others hears of its own", async () => {
    const { clock, here, there } = await two();
    const told: (OutcomeRecord | undefined)[] = [];
    await here.notifier.subscribe({ kind: "outcome", id: "mine" }, (one) => told.push(one));
    await there.backend.store([
      ...Array.from({ length: 100 }, (_, index) => outcome(`other-${index}`)),
      outcome("mine"),
    ]);
    await clock.advance(10);
    expect(told.map((one) => one?.id)).toEqual(["mine"]);
  });

  test("wakes a waiting claim for work of another process, and at once for its own", async () => {
    const { clock, here, there } = await two();
    const consumer = await consume(here);
    const first = consumer.claim({ queues: ["default"], max: 1, wait: 60_000 });
    await there.broker.publish([job({ id: "theirs" })]);
    await clock.advance(10);
    expect((await first).map(({ id }) => id)).toEqual(["theirs"]);
    const second = consumer.claim({ queues: ["default"], max: 1, wait: 60_000 });
    await here.broker.publish([job({ id: "ours" })]);
    expect((await second).map(({ id }) => id)).toEqual(["ours"]);
  });

  test("goes on while claims come and go faster than it looks", async () => {
    const { clock, here, there } = await two();
    const told: string[] = [];
    await here.notifier.subscribe({ kind: "outcome", id: "x" }, (one) => told.push(one?.id ?? ""));
    const consumer = await consume(here);
    await there.backend.store([outcome("x")]);
    for (let round = 0; round < 20; round++) {
      const claim = consumer.claim({ queues: ["default"], max: 1, wait: 0.5 });
      await clock.advance(1);
      expect(await claim).toEqual([]);
    }
    expect(told).toEqual(["x"]);
  });

  test("a claim sleeps until the next scheduled job is due, without looking at the queue in between", async () => {
    const { clock, here } = await two();
    const due: number[] = [];
    await here.broker.publish([job({ id: "hour", notBefore: { in: 3_600_000 } })]);
    await here.broker.publish([job({ id: "second", notBefore: { in: 1000 } })]);
    const start = clock.now();
    const claim = (await consume(here)).claim({ queues: ["default"], max: 1, wait: 10_000 }).then((jobs) => {
      due.push(clock.now() - start);
      return jobs;
    });
    await clock.advance(2000);
    expect((await claim).map(({ id }) => id)).toEqual(["second"]);
    expect(due).toEqual([1000]);
  });

  test("an aborted claim leaves nothing behind", async () => {
    const { clock, here } = await two();
    const consumer = await consume(here);
    const before = clock.pending;
    const abort = new AbortController();
    const claim = consumer.claim({ queues: ["default"], max: 1, wait: 60_000, signal: abort.signal });
    await clock.advance(5);
    abort.abort();
    expect(await claim).toEqual([]);
    expect(clock.pending).toBe(before);
  });

  test("tells a worker of a cancellation asked for elsewhere, and nobody else", async () => {
    const { clock, here, there } = await two();
    const asked: string[] = [];
    const onCancel = (ids: readonly string[]) => asked.push(...ids);
    const terms = { queues: ["default"], capacity: 1, lease: 30_000 };
    const consumer = await here.broker.consume({ ...terms, worker: "a", onCancel });
    await here.broker.consume({ ...terms, worker: "b", onCancel: () => expect.fail("it holds nothing") });
    await here.broker.publish([job({ id: "long" })]);
    const [lease] = await consumer.claim({ queues: ["default"], max: 1, wait: 0 });
    expect(await there.broker.cancel([{ id: "long" }])).toEqual(["requested"]);
    await clock.advance(10);
    expect(new Set(asked)).toEqual(new Set(["long"]));
    if (lease) await consumer.settle([complete(lease)]);
    asked.length = 0;
    await there.broker.publish([job()]);
    await clock.advance(10);
    expect(asked).toEqual([]);
  });

  test("a listener that throws harms neither the others nor the process", async () => {
    const { clock, here, there } = await two();
    const told: string[] = [];
    let failures = 0;
    await here.notifier.subscribe({ kind: "report", id: "x" }, () => {
      if (failures++ === 0) throw new Error("in a listener");
    });
    await here.notifier.subscribe({ kind: "outcome", id: "x" }, (one) => told.push(one?.id ?? ""));
    await there.backend.report([{ id: "x", log: ["a line"], ttl: 1000 }]);
    await clock.advance(10);
    await here.backend.store([outcome("x")]);
    await clock.advance(10);
    expect(failures).toBe(1);
    expect(told).toEqual(["x"]);
  });
});

describe.skipIf(process.platform !== "linux")("the doorbell (is only on Linux)", () => {
  test("wakes a waiting claim while the clock stands still", async () => {
    const { clock, here, there } = await two();
    const idle = clock.pending;
    const claim = (await consume(here)).claim({ queues: ["default"], max: 1, wait: 60_000 });
    await nextTurn();
    expect(clock.pending).toBe(idle + 2);
    await there.broker.publish([job({ id: "theirs" })]);
    expect((await claim).map(({ id }) => id)).toEqual(["theirs"]);
  });

  test("tells who waits for an outcome while the clock stands still, time after time", async () => {
    const { here, there } = await two();
    for (const id of ["one", "two", "three"]) {
      const told = new Promise((resolve) => {
        void here.notifier.subscribe({ kind: "outcome", id }, resolve).then(onTestFinished);
      });
      await nextTurn();
      await there.backend.store([outcome(id)]);
      expect(await told).toMatchObject({ id });
    }
  });

  test("keeps no process alive", () => {
    const script = `
    const { sqlite } = require("jiti")(${JSON.stringify(fileURLToPath(import.meta.url))})("../../../src/drivers/sqlite/index.ts");
    const clock = {
      now: () => Date.now(),
      schedule(callback, delay, keepAlive) {
        const timer = setTimeout(callback, delay);
        if (!keepAlive) timer.unref();
        return () => clearTimeout(timer);
      },
    };
    (async () => {
      const { broker } = await sqlite(${JSON.stringify(temporaryFile())}).connect({ clock, random: Math.random, logger: console });
      const consumer = await broker.consume({ worker: "w", queues: ["default"], capacity: 1, lease: 1000, onCancel() {} });
      console.log((await consumer.claim({ queues: ["default"], max: 1, wait: 1 })).length);
    })();`;
    const { stdout, stderr, status } = spawnSync(process.execPath, ["-e", script], {
      encoding: "utf8",
      timeout: 30_000,
    });
    expect({ stdout, stderr, status }).toEqual({ stdout: "0\n", stderr: "", status: 0 });
  });
});

describe("who does not ring", () => {
  /** A watcher of one connection, and another connection to write through, which knows nothing of watchers. */
  function watched(doorbellOf = (path: string) => path) {
    const path = temporaryFile();
    const clock = new FakeClock();
    const other = openClient(client, path);
    other.exec("PRAGMA journal_mode = WAL; CREATE TABLE t (x)");
    const watcher = new Watcher(openClient(client, path), doorbellOf(path), clock, (error) =>
      expect.fail(String(error)),
    );
    onTestFinished(() => watcher.close());
    let changes = 0;
    watcher.observe(() => changes++, true);
    return { path, clock, other, watcher, changes: () => changes };
  }

  test("is noticed by looking, where there is nothing to hear", async () => {
    const { clock, other, changes } = watched(() => "/nowhere/jobs.db");
    for (const silence of [0, 50, 500, 5000]) {
      await clock.advance(silence);
      const before = changes();
      other.exec("INSERT INTO t VALUES (1)");
      await clock.advance(8);
      expect(changes()).toBe(before + 1);
    }
  });

  test("is noticed by looking, also out of a long silence after others rang", async () => {
    const { path, clock, other, changes } = watched();
    const ringing = await connect({ path, client }, clock);
    await ringing.broker.publish([job()]);
    await clock.advance(60_000);
    const before = changes();
    expect(before).toBeGreaterThan(0);
    other.exec("INSERT INTO t VALUES (1)");
    await clock.advance(25);
    expect(changes()).toBe(before + 1);
  });
});
