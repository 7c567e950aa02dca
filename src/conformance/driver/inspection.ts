import assert from "node:assert/strict";
import type { Consumer } from "../../contracts/broker.js";
import type { JobRecord, ListFilter, QueuedState } from "../../contracts/inspector.js";
import type { CaseGroup } from "./case.js";
import { bytes, type CaseContext, idsOf, outcomeOf, QUEUE, sameBytes } from "./context.js";

const EVERY_STATE: readonly QueuedState[] = ["scheduled", "waiting", "active", "retrying", "dead"];

export const inspection: CaseGroup = {
  name: "inspection",
  contracts: ["broker", "inspector"],
  cases: [
    {
      name: "counts the jobs of each queue by state, and knows since when the oldest waits",
      requires: ({ inspect, delay }) => inspect && delay,
      async run(c) {
        const { time } = await c.connection.ping();
        await jobsInEveryState(c);
        await c.publish({ queue: "another" }, { queue: "another" });
        const [another, work, ...others] = await c.inspector.queues();
        assert.deepEqual(others, []);
        assert.deepEqual([another?.queue, another?.counts.waiting, another?.paused], ["another", 2, false]);
        assert.deepEqual(work?.counts, { scheduled: 1, waiting: 1, active: 1, retrying: 1, dead: 1 });
        assert.ok((work?.oldestWaiting ?? 0) >= time - 1 && (work?.oldestWaiting ?? 0) <= time + 30 * c.unit);
      },
    },
    {
      name: "knows no queue without jobs",
      requires: ({ inspect }) => inspect,
      async run(c) {
        const consumer = await c.consumer();
        assert.deepEqual(await c.inspector.queues(), []);
        await c.complete(consumer, [await c.claimedJob(consumer)]);
        assert.deepEqual(await c.inspector.queues(), []);
      },
    },
    {
      name: "counts a job as waiting once its delay has passed",
      requires: ({ inspect, delay }) => inspect && delay,
      async run(c) {
        const id = await c.publishOne({ notBefore: { in: 2 * c.unit } });
        await c.advance(3 * c.unit);
        const [queue] = await c.inspector.queues();
        assert.deepEqual([queue?.counts.scheduled, queue?.counts.waiting], [0, 1]);
        assert.equal((await c.inspector.find([id]))[0]?.state, "waiting");
      },
    },
    {
      name: "tells a job that is given back for later after a failed attempt from one that never ran",
      requires: ({ inspect, delay }) => inspect && delay,
      async run(c) {
        const consumer = await c.consumer();
        const lease = await c.claimedJob(consumer);
        await consumer.settle([{ kind: "retry", lease, delay: 0, history: bytes("why") }]);
        await consumer.settle([{ kind: "release", lease: await c.takeOne(consumer), delay: 100 * c.unit }]);
        assert.equal((await c.inspector.find([lease.id]))[0]?.state, "retrying");
        const first = await c.claimedJob(consumer);
        await consumer.settle([{ kind: "release", lease: first, delay: 100 * c.unit }]);
        assert.equal((await c.inspector.find([first.id]))[0]?.state, "scheduled");
      },
    },
    {
      name: "finds jobs in every state, in the order asked for",
      requires: ({ inspect, delay }) => inspect && delay,
      async run(c) {
        const jobs = await jobsInEveryState(c);
        const ids = EVERY_STATE.map((state) => jobs[state]);
        const records = await c.inspector.find([...ids, c.id()]);
        assert.deepEqual(
          records.map((record) => record?.state),
          [...EVERY_STATE, undefined],
        );
        assert.deepEqual(
          records.map((record) => record?.attempt),
          [0, 0, 1, 1, 1, undefined],
        );
      },
    },
    {
      name: "shows all there is to know of a job",
      requires: ({ inspect }) => inspect,
      async run(c) {
        const consumer = await c.consumer({ worker: "the worker" });
        const { time } = await c.connection.ping();
        const priority = c.capabilities.priority ? 6 : 0;
        const lease = await c.claimedJob(consumer, { body: bytes("the body"), priority, headers: { lang: "py" } });
        const [active] = await c.inspector.find([lease.id]);
        assert.deepEqual([active?.worker, active?.queue, active?.priority], ["the worker", QUEUE, priority]);
        assert.deepEqual([active?.headers, active?.losses, active?.reason], [{ lang: "py" }, 0, undefined]);
        sameBytes(active?.body, bytes("the body"));
        await consumer.settle([{ kind: "dead", lease, reason: "invalid-arguments", history: bytes("h") }]);
        const [dead] = await c.inspector.find([lease.id]);
        assert.deepEqual([dead?.reason, dead?.worker, dead?.headers], ["invalid-arguments", undefined, { lang: "py" }]);
        assert.deepEqual([dead?.priority, dead?.attempt], [priority, 1]);
        assert.ok((dead?.dueAt ?? 0) >= time - 1, "dueAt tells when it died");
        sameBytes(dead?.body, bytes("the body"));
        sameBytes(dead?.history, bytes("h"));
      },
    },
    {
      name: "shows when a delayed job is due",
      requires: ({ inspect, delay }) => inspect && delay,
      async run(c) {
        const { time } = await c.connection.ping();
        const id = await c.publishOne({ notBefore: { at: time + 50 * c.unit } });
        assert.equal((await c.inspector.find([id]))[0]?.dueAt, time + 50 * c.unit);
        const past = await c.publishOne({ notBefore: { at: time - 50 * c.unit } });
        assert.ok(((await c.inspector.find([past]))[0]?.dueAt ?? 0) >= time - 1, "a moment in the past is now");
      },
    },
    {
      name: "lists page by page, over all states or one, of all queues or one",
      requires: ({ inspect, delay }) => inspect && delay,
      run: assertListing,
    },
  ],
};

export const intervention: CaseGroup = {
  name: "intervention",
  contracts: ["broker", "inspector"],
  cases: [
    {
      name: "retries a dead letter in its queue, with its priority, as a first attempt without losses",
      requires: ({ inspect }) => inspect,
      async run(c) {
        const consumer = await c.consumer();
        const priority = c.capabilities.priority ? 4 : 0;
        const lease = await c.claimedJob(consumer, { body: bytes("the body"), priority });
        await consumer.settle([{ kind: "retry", lease, delay: 0, history: bytes("h") }]);
        await bury(consumer, await c.takeOne(consumer));
        assert.deepEqual(await c.inspector.retry([lease.id]), [lease.id]);
        const again = await c.takeOne(consumer);
        assert.deepEqual([again.id, again.attempt, again.losses, again.priority], [lease.id, 1, 0, priority]);
        sameBytes(again.body, bytes("the body"));
      },
    },
    {
      name: "retries a dead letter without the losses and the request to cancel that it died with",
      requires: ({ inspect, leases, cancel }) => inspect && leases === "timed" && cancel,
      async run(c) {
        const consumer = await c.consumer({ lease: 2 * c.unit });
        await c.claimedJob(consumer);
        await c.advance(3 * c.unit);
        await c.broker.sweep({ max: 10, delay: 0, jitter: 0 });
        const lease = await c.takeOne(consumer);
        assert.equal(lease.losses, 1);
        await c.broker.cancel([{ id: lease.id }]);
        await bury(consumer, lease);
        await c.inspector.retry([lease.id]);
        const again = await c.takeOne(consumer);
        assert.equal(again.losses, 0);
        assert.deepEqual(await consumer.extend([again]), ["held"]);
      },
    },
    {
      name: "answers which ids it could retry: only dead letters",
      requires: ({ inspect, delay }) => inspect && delay,
      async run(c) {
        const jobs = await jobsInEveryState(c);
        const ids = [c.id(), ...EVERY_STATE.map((state) => jobs[state])];
        assert.deepEqual(await c.inspector.retry(ids), [jobs.dead]);
        assert.deepEqual(await c.inspector.retry(ids), []);
      },
    },
    {
      name: "wakes a claim that waits with a retried dead letter",
      requires: ({ inspect }) => inspect,
      async run(c) {
        const consumer = await c.consumer();
        const lease = await c.claimedJob(consumer);
        await bury(consumer, lease);
        const claim = consumer.claim({ queues: [QUEUE], max: 1, wait: 1000 * c.unit });
        await c.advance(1);
        await c.inspector.retry([lease.id]);
        assert.deepEqual(idsOf(await c.within(claim)), [lease.id]);
      },
    },
    {
      name: "discards jobs that are not active, and answers which",
      requires: ({ inspect, delay }) => inspect && delay,
      async run(c) {
        const jobs = await jobsInEveryState(c);
        const discarded = await c.inspector.discard([c.id(), ...EVERY_STATE.map((state) => jobs[state])]);
        assert.deepEqual(discarded.sort(), [jobs.scheduled, jobs.waiting, jobs.retrying, jobs.dead].sort());
        const left = await listAll(c, { limit: 100 });
        assert.deepEqual(idsOf(left), [jobs.active]);
        await c.advance(200 * c.unit);
        await c.nothing(await c.consumer());
      },
    },
    {
      name: "purges the states asked for from one queue, never active jobs, and answers how many",
      requires: ({ inspect, delay }) => inspect && delay,
      async run(c) {
        const jobs = await jobsInEveryState(c);
        await c.publish({ queue: "another" }, {});
        assert.equal(await c.inspector.purge(QUEUE, ["waiting"]), 2);
        assert.equal(await c.inspector.purge(QUEUE, ["waiting", "active"]), 0);
        assert.equal(await c.inspector.purge(QUEUE, EVERY_STATE), 3);
        const left = await listAll(c, { limit: 100 });
        assert.deepEqual(left.map(({ queue, state }) => `${queue} ${state}`).sort(), [
          "another waiting",
          "work active",
        ]);
        assert.ok(idsOf(left).includes(jobs.active));
      },
    },
    {
      name: "lets a purged or discarded id be published again",
      requires: ({ inspect, idempotentIds }) => inspect && idempotentIds,
      async run(c) {
        const [a, b] = ["first", "second"].map((name) => c.job({ id: `${name}-${c.id()}`, unique: true }));
        assert.ok(a && b);
        await c.broker.publish([a, b]);
        await c.inspector.discard([a.id]);
        await c.inspector.purge(QUEUE, ["waiting"]);
        assert.deepEqual(await c.broker.publish([a, b]), ["created", "created"]);
      },
    },
  ],
};

export const outcomesOfIntervention: CaseGroup = {
  name: "outcomes of intervention",
  contracts: ["broker", "backend", "inspector"],
  cases: [
    {
      name: "are dropped with the retry of a dead letter, so that the next one counts",
      requires: ({ inspect, atomicOutcomes }) => inspect && atomicOutcomes,
      async run(c) {
        const consumer = await c.consumer();
        const first = await c.claimedJob(consumer);
        await consumer.settle([{ kind: "retry", lease: first, delay: 0, history: bytes("h") }]);
        const outcome = outcomeOf(first.id, { state: "dead", attempt: 2 });
        const lease = await c.takeOne(consumer);
        await consumer.settle([{ kind: "dead", lease, reason: "failed", history: bytes("h"), outcome }]);
        await c.inspector.retry([first.id]);
        assert.deepEqual(await c.backend.read([first.id]), [undefined]);
        const again = await c.takeOne(consumer);
        await consumer.settle([{ kind: "complete", lease: again, outcome: outcomeOf(first.id) }]);
        assert.equal((await c.backend.read([first.id]))[0]?.state, "completed");
      },
    },
  ],
};

export const pausing: CaseGroup = {
  name: "pausing",
  contracts: ["broker", "inspector"],
  cases: [
    {
      name: "a queue keeps its jobs back, takes new ones, and is seen",
      requires: ({ inspect }) => inspect,
      async run(c) {
        await c.publish({}, { queue: "another" });
        await c.inspector.pause(QUEUE);
        await c.publish({});
        const consumer = await c.consumer({ queues: [QUEUE, "another"] });
        assert.equal((await c.takeOne(consumer, [QUEUE, "another"])).queue, "another");
        await c.nothing(consumer, [QUEUE, "another"]);
        const work = (await c.inspector.queues()).find(({ queue }) => queue === QUEUE);
        assert.deepEqual([work?.paused, work?.counts.waiting], [true, 2]);
      },
    },
    {
      name: "an empty queue is seen, and resuming it forgets it",
      requires: ({ inspect }) => inspect,
      async run(c) {
        await c.inspector.pause("quiet");
        await c.inspector.pause("quiet");
        const paused = (await c.inspector.queues()).map(({ queue, paused }) => ({ queue, paused }));
        assert.deepEqual(paused, [{ queue: "quiet", paused: true }]);
        await c.inspector.resume("quiet");
        assert.deepEqual(await c.inspector.queues(), []);
      },
    },
    {
      name: "ends with resuming, which wakes a claim that waits",
      requires: ({ inspect }) => inspect,
      async run(c) {
        await c.inspector.pause(QUEUE);
        const id = await c.publishOne();
        const consumer = await c.consumer();
        const claim = consumer.claim({ queues: [QUEUE], max: 1, wait: 1000 * c.unit });
        await c.advance(2 * c.unit);
        await c.inspector.resume(QUEUE);
        assert.deepEqual(idsOf(await c.within(claim)), [id]);
      },
    },
    {
      name: "a queue lets its active jobs end",
      requires: ({ inspect }) => inspect,
      async run(c) {
        const consumer = await c.consumer();
        const lease = await c.claimedJob(consumer);
        await c.inspector.pause(QUEUE);
        assert.deepEqual(await consumer.extend([lease]), ["held"]);
        await c.complete(consumer, [lease]);
      },
    },
    {
      name: "a queue holds for every connection",
      requires: ({ inspect }) => inspect,
      async run(c) {
        await c.publish({});
        await c.part("inspector", await c.connect()).pause(QUEUE);
        await c.nothing(await c.consumer());
      },
    },
  ],
};

/** One job in each state, none of which changes for 100 units. */
async function jobsInEveryState(c: CaseContext): Promise<Record<QueuedState, string>> {
  const consumer = await c.consumer();
  const active = await c.claimedJob(consumer);
  const retrying = await c.claimedJob(consumer);
  await consumer.settle([{ kind: "retry", lease: retrying, delay: 100 * c.unit, history: bytes("h") }]);
  const dead = await c.claimedJob(consumer);
  await bury(consumer, dead);
  const scheduled = await c.publishOne({ notBefore: { in: 100 * c.unit } });
  const waiting = await c.publishOne();
  return { active: active.id, retrying: retrying.id, dead: dead.id, scheduled, waiting };
}

async function bury(consumer: Consumer, lease: Awaited<ReturnType<CaseContext["takeOne"]>>): Promise<void> {
  await consumer.settle([{ kind: "dead", lease, reason: "failed", history: bytes("h") }]);
}

/** Follows the cursors to the end. */
async function listAll(c: CaseContext, filter: ListFilter): Promise<JobRecord[]> {
  const all: JobRecord[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < 100; page++) {
    const { jobs, cursor: next } = await c.inspector.list({ ...filter, ...(cursor && { cursor }) });
    assert.ok(jobs.length <= filter.limit, `${jobs.length} jobs on a page of ${filter.limit}`);
    all.push(...jobs);
    if (next === undefined) return all;
    cursor = next;
  }
  assert.fail("the pages do not end");
}

async function assertListing(c: CaseContext): Promise<void> {
  const expected = new Set<string>();
  for (let round = 0; round < 3; round++) {
    for (const id of Object.values(await jobsInEveryState(c))) expected.add(id);
    await c.take(await c.consumer(), 1);
  }
  expected.add(await c.publishOne({ queue: "another" }));
  for (const limit of [1, 2, 4, 16, 100]) {
    const all = await listAll(c, { limit });
    assert.equal(all.length, 16, `pages of ${limit}: ${all.length} jobs of 16`);
    assert.deepEqual(new Set(idsOf(all)), expected);
  }
  for (const state of EVERY_STATE) {
    const some = await listAll(c, { limit: 2, state, queue: QUEUE });
    const count = { scheduled: 3, waiting: 0, active: 6, retrying: 3, dead: 3 }[state];
    assert.deepEqual(
      some.map((record) => `${record.queue} ${record.state}`),
      new Array(count).fill(`${QUEUE} ${state}`),
    );
  }
  assert.equal((await listAll(c, { limit: 2, queue: "another" })).length, 1);
  assert.deepEqual(await listAll(c, { limit: 2, queue: "unheard of" }), []);
}
