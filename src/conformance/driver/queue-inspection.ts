import assert from "node:assert/strict";
import type { ClaimedJob, Consumer } from "../../contracts/broker.js";
import type { CaseGroup } from "./case.js";
import { bytes, type CaseContext, idsOf, QUEUE, sameBytes } from "./context.js";

export const queueInspection: CaseGroup = {
  name: "inspection of queues",
  contracts: ["broker", "queueInspector"],
  cases: [
    {
      name: "counts waiting and dead jobs of the queues asked for, and knows which do not exist",
      async run(c) {
        const consumer = await c.consumer();
        await bury(c, consumer);
        await c.publish({}, {}, { queue: "another" });
        const counts = () => c.queueInspector.count(["another", "unheard-of", QUEUE]);
        const expected = [{ waiting: 1, dead: 0 }, undefined, { waiting: 2, dead: 1 }];
        await consumer.close();
        assert.deepEqual(await counts(), expected);
      },
    },
    {
      name: "shows dead letters with all there is to know of them, and leaves them where they are",
      async run(c) {
        const { time } = await c.connection.ping();
        const priority = c.capabilities.priority ? 6 : 0;
        const { id } = await bury(c, await c.consumer(), {
          body: bytes("the body"),
          priority,
          headers: { lang: "py" },
        });
        for (let look = 0; look < 2; look++) {
          const [dead, ...others] = await c.queueInspector.dead(QUEUE, 0, 10);
          assert.deepEqual(others, []);
          assert.deepEqual(
            [dead?.id, dead?.queue, dead?.state, dead?.reason],
            [id, QUEUE, "dead", "invalid-arguments"],
          );
          assert.deepEqual(
            [dead?.attempt, dead?.losses, dead?.priority, dead?.headers],
            [1, 0, priority, { lang: "py" }],
          );
          assert.ok((dead?.dueAt ?? 0) >= time - 1, "dueAt tells when it died");
          sameBytes(dead?.body, bytes("the body"));
          sameBytes(dead?.history, bytes("h"));
        }
      },
    },
    {
      name: "shows dead letters page by page, the oldest first",
      async run(c) {
        const consumer = await c.consumer();
        const ids: string[] = [];
        for (let job = 0; job < 5; job++) ids.push((await bury(c, consumer)).id);
        assert.deepEqual(idsOf(await c.queueInspector.dead(QUEUE, 0, 2)), ids.slice(0, 2));
        assert.deepEqual(idsOf(await c.queueInspector.dead(QUEUE, 2, 10)), ids.slice(2));
        assert.deepEqual(await c.queueInspector.dead(QUEUE, 5, 10), []);
        assert.deepEqual(await c.queueInspector.dead("unheard-of", 0, 10), []);
      },
    },
    {
      name: "retries dead letters as first attempts without losses, and answers which it found",
      async run(c) {
        const consumer = await c.consumer();
        const [one, two] = [await bury(c, consumer, { body: bytes("the body") }), await bury(c, consumer)];
        assert.deepEqual(await c.queueInspector.retry(QUEUE, [c.id(), one.id]), [one.id]);
        const again = await c.takeOne(consumer);
        assert.deepEqual([again.id, again.attempt, again.losses, again.queue], [one.id, 1, 0, QUEUE]);
        sameBytes(again.body, bytes("the body"));
        assert.deepEqual(idsOf(await c.queueInspector.dead(QUEUE, 0, 10)), [two.id]);
      },
    },
    {
      name: "discards dead letters, and answers which it found",
      async run(c) {
        const consumer = await c.consumer();
        const [one, two] = [await bury(c, consumer), await bury(c, consumer)];
        assert.deepEqual(await c.queueInspector.discard(QUEUE, [c.id(), two.id]), [two.id]);
        assert.deepEqual(await c.queueInspector.discard(QUEUE, [two.id]), []);
        assert.deepEqual(idsOf(await c.queueInspector.dead(QUEUE, 0, 10)), [one.id]);
      },
    },
    {
      name: "purges what waits or what is dead, and answers how many",
      async run(c) {
        const consumer = await c.consumer();
        await bury(c, consumer);
        await consumer.close();
        await c.publish({}, {});
        assert.equal(await c.queueInspector.purge(QUEUE, "waiting"), 2);
        assert.equal(await c.queueInspector.purge(QUEUE, "dead"), 1);
        assert.equal(await c.queueInspector.purge("unheard-of", "dead"), 0);
        assert.deepEqual(await c.queueInspector.count([QUEUE]), [{ waiting: 0, dead: 0 }]);
      },
    },
  ],
};

async function bury(
  c: CaseContext,
  consumer: Consumer,
  fields: Parameters<CaseContext["claimedJob"]>[1] = {},
): Promise<ClaimedJob> {
  const lease = await c.claimedJob(consumer, fields);
  await consumer.settle([{ kind: "dead", lease, reason: "invalid-arguments", history: bytes("h") }]);
  return lease;
}
