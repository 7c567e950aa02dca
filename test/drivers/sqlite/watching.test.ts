import { describe, expect, test } from "vitest";
import type { OutcomeRecord } from "../../../src/contracts/index.js";
import { CLIENTS, type Contracts, complete, connect, consume, FakeClock, job, temporaryFile } from "./support.js";

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
