import assert from "node:assert/strict";
import type { CaseGroup } from "./case.js";
import { bytes, type CaseContext, outcomeOf, sameBytes } from "./context.js";

export const connecting: CaseGroup = {
  name: "connecting",
  contracts: [],
  cases: [
    {
      name: "tells what answers, and its clock",
      async run(c) {
        const before = c.place.clock.now();
        const { server, time, warnings } = await c.connection.ping();
        assert.notEqual(server, "");
        assert.ok(Math.abs(time - before) < 60_000, "within a minute of our clock");
        assert.ok(Array.isArray(warnings));
      },
    },
    {
      name: "ends with a close that can be repeated, while another connection goes on",
      async run(c) {
        const other = await c.connect();
        await other.close();
        await other.close();
        await c.connection.ping();
      },
    },
  ],
};

export const durability: CaseGroup = {
  name: "durability",
  contracts: ["broker"],
  cases: [
    {
      name: "keeps jobs, histories, leases and dead letters while nobody is connected",
      requires: ({ leases, delay }) => leases === "timed" && delay,
      run: assertAllSurvives,
    },
  ],
};

export const durabilityOfState: CaseGroup = {
  name: "durability of state",
  contracts: ["backend", "coordinator"],
  cases: [
    {
      name: "keeps outcomes, reports, entries and counters while nobody is connected",
      async run(c) {
        const id = c.id();
        await c.backend.store([outcomeOf(id, { ttl: 1000 * c.unit })]);
        await c.backend.report([{ id, progress: bytes("10%"), log: ["a line"], ttl: 1000 * c.unit }]);
        await c.coordinator.put("k", bytes("a value"));
        await c.coordinator.increment("n", 3);
        await c.restart();
        sameBytes((await c.backend.read([id]))[0]?.body, bytes("an outcome"));
        assert.deepEqual((await c.backend.readReport(id))?.log, ["a line"]);
        sameBytes((await c.coordinator.get("k"))?.value, bytes("a value"));
        assert.equal(await c.coordinator.increment("n", 1), 4);
      },
    },
  ],
};

/** Leaves a job in each place, restarts, and finds each of them where it was. */
async function assertAllSurvives(c: CaseContext): Promise<void> {
  const consumer = await c.consumer({ lease: 10 * c.unit });
  const lost = await c.claimedJob(consumer);
  const retried = await c.claimedJob(consumer);
  await consumer.settle([{ kind: "retry", lease: retried, delay: 50 * c.unit, history: bytes("a history") }]);
  const dead = await c.claimedJob(consumer, { body: bytes("the dead one") });
  await consumer.settle([{ kind: "dead", lease: dead, reason: "failed", history: bytes("h") }]);
  const scheduled = await c.publishOne({ notBefore: { in: 50 * c.unit }, expires: { in: 20 * c.unit } });
  const waiting = await c.publishOne({ body: bytes("a body"), headers: { lang: "py" } });

  await c.restart();
  const next = await c.consumer();
  const first = await c.takeOne(next);
  assert.deepEqual([first.id, first.headers], [waiting, { lang: "py" }]);
  sameBytes(first.body, bytes("a body"));
  await c.nothing(next);
  await c.advance(11 * c.unit);
  assert.deepEqual(await c.broker.sweep({ max: 10, delay: 0, jitter: 0 }), { recovered: 1 });
  const second = await c.takeOne(next);
  assert.deepEqual([second.id, second.attempt, second.losses], [lost.id, 2, 1]);
  await c.advance(50 * c.unit);
  const later = await c.take(next, 2);
  sameBytes(later.find((job) => job.id === retried.id)?.history, bytes("a history"));
  assert.equal(later.find((job) => job.id === scheduled)?.expired, true);
  if (!c.capabilities.inspect) return;
  assert.deepEqual(await c.inspector.retry([dead.id]), [dead.id]);
  sameBytes((await c.takeOne(next)).body, bytes("the dead one"));
}
