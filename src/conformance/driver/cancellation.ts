import assert from "node:assert/strict";
import type { CaseGroup } from "./case.js";
import { bytes, type CaseContext, outcomeOf, sameBytes } from "./context.js";

export const cancellation: CaseGroup = {
  name: "cancellation",
  contracts: ["broker"],
  cases: [
    {
      name: "of a waiting job means that it never runs",
      requires: ({ cancel }) => cancel,
      async run(c) {
        const [id, other] = await c.publish({}, {});
        assert.deepEqual(await c.broker.cancel([{ id: id ?? "" }]), ["cancelled"]);
        const consumer = await c.consumer();
        assert.equal((await c.takeOne(consumer)).id, other);
        await c.nothing(consumer);
      },
    },
    {
      name: "of a scheduled job means that it never runs",
      requires: ({ cancel, delay }) => cancel && delay,
      async run(c) {
        const id = await c.publishOne({ notBefore: { in: 2 * c.unit } });
        assert.deepEqual(await c.broker.cancel([{ id }]), ["cancelled"]);
        await c.advance(3 * c.unit);
        await c.nothing(await c.consumer());
      },
    },
    {
      name: "of a job that waits for its retry means that it does not run again",
      requires: ({ cancel }) => cancel,
      async run(c) {
        const consumer = await c.consumer();
        const lease = await c.claimedJob(consumer);
        await consumer.settle([{ kind: "retry", lease, delay: 2 * c.unit, history: bytes("h") }]);
        assert.deepEqual(await c.broker.cancel([{ id: lease.id }]), ["cancelled"]);
        await c.advance(3 * c.unit);
        await c.nothing(consumer);
      },
    },
    {
      name: "of an active job tells its holder, through onCancel and extend, and leaves the end to it",
      requires: ({ cancel }) => cancel,
      async run(c) {
        const { consumer, told } = await listeningConsumer(c);
        const lease = await c.claimedJob(consumer);
        assert.deepEqual(await consumer.extend([lease]), ["held"]);
        assert.deepEqual(await c.broker.cancel([{ id: lease.id }]), ["requested"]);
        await c.until(() => told.has(lease.id), "onCancel");
        assert.deepEqual(await consumer.extend([lease]), ["cancel"]);
        await c.complete(consumer, [lease]);
      },
    },
    {
      name: "reaches the holder from another connection, and nobody else",
      requires: ({ cancel }) => cancel,
      async run(c) {
        const holder = await listeningConsumer(c);
        const bystander = await listeningConsumer(c);
        await c.publish({}, {});
        const mine = await c.takeOne(holder.consumer);
        const theirs = await c.takeOne(bystander.consumer);
        const other = c.part("broker", await c.connect());
        assert.deepEqual(await other.cancel([{ id: mine.id }]), ["requested"]);
        await c.until(() => holder.told.has(mine.id), "onCancel");
        assert.deepEqual([...bystander.told], []);
        assert.deepEqual(await bystander.consumer.extend([theirs]), ["held"]);
      },
    },
    {
      name: "of an active job that is given back is told to its next holder",
      requires: ({ cancel }) => cancel,
      async run(c) {
        const consumer = await c.consumer();
        const lease = await c.claimedJob(consumer);
        await c.broker.cancel([{ id: lease.id }]);
        await consumer.settle([{ kind: "release", lease, delay: 0 }]);
        const again = await c.takeOne(consumer);
        assert.deepEqual(await consumer.extend([again]), ["cancel"]);
      },
    },
    {
      name: "answers in the order given, `absent` for what is gone, dead or unknown",
      requires: ({ cancel }) => cancel,
      async run(c) {
        const consumer = await c.consumer();
        const done = await c.claimedJob(consumer);
        await c.complete(consumer, [done]);
        const lease = await c.claimedJob(consumer);
        await consumer.settle([{ kind: "dead", lease, reason: "failed", history: bytes("h") }]);
        const active = await c.claimedJob(consumer);
        const waiting = await c.publishOne();
        const ids = [done.id, waiting, c.id(), active.id, lease.id, waiting];
        const statuses = await c.broker.cancel(ids.map((id) => ({ id })));
        assert.deepEqual(statuses, ["absent", "cancelled", "absent", "requested", "absent", "absent"]);
        assert.deepEqual(await c.broker.cancel([]), []);
      },
    },
  ],
};

export const outcomesOfCancellation: CaseGroup = {
  name: "outcomes of cancellation",
  contracts: ["broker", "backend"],
  cases: [
    {
      name: "are stored in the same step where the job had not started, and only there",
      requires: ({ cancel, atomicOutcomes }) => cancel && atomicOutcomes,
      async run(c) {
        const active = await c.claimedJob(await c.consumer());
        const waiting = await c.publishOne();
        const absent = c.id();
        const request = (id: string) => ({
          id,
          outcome: outcomeOf(id, { state: "cancelled", attempt: 0, body: bytes("stopped") }),
        });
        await c.broker.cancel([waiting, active.id, absent].map(request));
        const [kept, ...others] = await c.backend.read([waiting, active.id, absent]);
        assert.equal(kept?.state, "cancelled");
        sameBytes(kept?.body, bytes("stopped"));
        assert.deepEqual(others, [undefined, undefined]);
      },
    },
  ],
};

async function listeningConsumer(c: CaseContext) {
  const told = new Set<string>();
  const consumer = await c.consumer({
    onCancel: (ids) => {
      for (const id of ids) told.add(id);
    },
  });
  return { consumer, told };
}
