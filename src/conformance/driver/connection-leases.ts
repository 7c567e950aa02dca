import assert from "node:assert/strict";
import type { Broker } from "../../contracts/broker.js";
import type { CaseGroup } from "./case.js";
import { bytes, type CaseContext, idsOf, sameBytes } from "./context.js";

export const connectionLeases: CaseGroup = {
  name: "leases of a connection",
  contracts: ["broker"],
  cases: [
    {
      name: "last as long as it does, whatever the time and however often they are extended",
      requires: ({ leases }) => leases === "connection",
      async run(c) {
        const consumer = await c.consumer({ lease: c.unit });
        const lease = await c.claimedJob(consumer);
        await c.advance(3 * c.unit);
        await backAtOnce(c.broker);
        assert.deepEqual(await consumer.extend([lease]), ["held"]);
        await c.complete(consumer, [lease]);
      },
    },
    {
      name: "end with it: the job is claimed again as another attempt, with its history and one more loss each time",
      requires: ({ leases }) => leases === "connection",
      async run(c) {
        const first = await c.consumer();
        const lease = await c.claimedJob(first);
        await first.settle([{ kind: "retry", lease, delay: 0, history: bytes("h") }]);
        await c.takeOne(first);
        await first.close();
        for (let losses = 1; losses <= 3; losses++) {
          const other = await c.connect();
          await backAtOnce(c.part("broker", other));
          const job = await c.takeOne(await c.consumer({}, other));
          assert.deepEqual([job.id, job.attempt, job.losses], [lease.id, losses + 2, losses]);
          sameBytes(job.history, bytes("h"));
          await other.close();
        }
      },
    },
    {
      name: "end with it, so what it claimed can be neither settled nor extended any more",
      requires: ({ leases }) => leases === "connection",
      async run(c) {
        await backAtOnce(c.broker);
        const consumer = await c.consumer();
        const lease = await c.claimedJob(consumer);
        await consumer.close();
        assert.deepEqual(await consumer.settle([{ kind: "complete", lease }]), ["lost"]);
        assert.deepEqual(await consumer.extend([lease]), ["lost"]);
        assert.equal((await c.takeOne(await c.consumer())).id, lease.id);
      },
    },
    {
      name: "are not held of jobs that nobody has claimed: these go to others, uncounted and in no more time than a moment",
      requires: ({ leases }) => leases === "connection",
      async run(c) {
        const idle = await c.consumer();
        const held = await c.claimedJob(idle);
        const ids = await c.publish({}, {}, {});
        const jobs = await c.take(await c.consumer(), 3);
        assert.deepEqual(idsOf(jobs).sort(), [...ids].sort());
        for (const { attempt, losses } of jobs) assert.deepEqual([attempt, losses], [1, 0]);
        await c.complete(idle, [held]);
      },
    },
    {
      name: "end with the server, which keeps jobs, histories and delays",
      requires: ({ leases, delay }) => leases === "connection" && delay,
      run: assertAllSurvives,
    },
  ],
};

/** Lost jobs are due again when the last sweep of the connection that finds them said so. */
async function backAtOnce(broker: Broker): Promise<void> {
  assert.deepEqual(await broker.sweep({ max: 100, delay: 0, jitter: 0 }), { recovered: 0 });
}

/** Leaves a job in each place, restarts, and finds each of them where it was. */
async function assertAllSurvives(c: CaseContext): Promise<void> {
  const consumer = await c.consumer();
  const retried = await c.claimedJob(consumer);
  await consumer.settle([{ kind: "retry", lease: retried, delay: 20 * c.unit, history: bytes("a history") }]);
  const scheduled = await c.publishOne({ notBefore: { in: 20 * c.unit }, expires: { in: 2 * c.unit } });
  const lost = await c.claimedJob(consumer);
  const waiting = await c.publishOne({ body: bytes("a body"), headers: { lang: "py" } });
  await c.restart();
  await backAtOnce(c.broker);
  const jobs = await c.take(await c.consumer(), 4, undefined, 60 * c.unit);
  const found = (id: string) => jobs.find((job) => job.id === id);
  assert.deepEqual(idsOf(jobs).sort(), [retried.id, scheduled, lost.id, waiting].sort());
  assert.deepEqual([found(lost.id)?.attempt, found(lost.id)?.losses], [2, 1]);
  assert.deepEqual(found(waiting)?.headers, { lang: "py" });
  assert.equal(found(scheduled)?.expired, true);
  assert.equal(found(retried.id)?.attempt, 2);
  sameBytes(found(retried.id)?.history, bytes("a history"));
}
