import assert from "node:assert/strict";
import type { OutgoingJob } from "../../contracts/broker.js";
import type { CaseGroup } from "./case.js";
import { bytes, type CaseContext, idsOf, manyBytes, outcomeOf, QUEUE, sameBytes } from "./context.js";

export const publishing: CaseGroup = {
  name: "publishing",
  contracts: ["broker"],
  cases: [
    {
      name: "answers nothing to an empty batch",
      async run(c) {
        assert.deepEqual(await c.broker.publish([]), []);
        await c.nothing(await c.consumer());
      },
    },
    {
      name: "keeps the order of 1,000 jobs in one batch",
      requires: ({ fifo }) => fifo,
      async run(c) {
        const ids = await c.publish(...Array.from({ length: 1000 }, () => ({})));
        assert.deepEqual(idsOf(await c.take(await c.consumer(), 1000)), ids);
      },
    },
    {
      name: "keeps the order of publishes that are under way at once",
      requires: ({ fifo, pipelining }) => fifo && pipelining,
      async run(c) {
        const batches = await Promise.all(
          Array.from({ length: 10 }, () => c.publish(...Array.from({ length: 50 }, () => ({})))),
        );
        assert.deepEqual(idsOf(await c.take(await c.consumer(), 500)), batches.flat());
      },
    },
    {
      name: "moves 10,000 jobs with an exact ledger: each is claimed once by one of two consumers",
      run: exactLedger,
    },
    {
      name: "returns bodies unchanged, from none to as many bytes as the driver takes",
      async run(c) {
        const consumer = await c.consumer();
        for (const size of c.sizes([0, 1, 255, 256, 65_536])) {
          const body = manyBytes(size);
          const job = await c.claimedJob(consumer, { body });
          sameBytes(job.body, body);
          await c.complete(consumer, [job]);
        }
      },
    },
    {
      name: "returns headers unchanged, and none where there were none",
      async run(c) {
        const headers = { lang: "py", retries: 0, eta: null, nested: { list: [1, "two", true] } };
        const consumer = await c.consumer();
        assert.deepEqual((await c.claimedJob(consumer, { headers })).headers, headers);
        assert.equal((await c.claimedJob(consumer)).headers, undefined);
      },
    },
    {
      name: "takes names and ids of any characters",
      async run(c) {
        const queue = "über queue: 100% 'quoted' \"twice\" {braces}/*?_";
        const id = `${"ä:%_*'\"{}/ ".repeat(20)}`.slice(0, 200);
        await c.publish({ queue, id, unique: c.capabilities.idempotentIds });
        const consumer = await c.consumer({ queues: [queue] });
        const job = await c.takeOne(consumer, [queue]);
        assert.deepEqual([job.id, job.queue], [id, queue]);
        await c.complete(consumer, [job]);
      },
    },
  ],
};

export const uniqueIds: CaseGroup = {
  name: "unique ids",
  contracts: ["broker", "backend"],
  cases: [
    {
      name: "report a second job with the id of a waiting one as a duplicate, and keep the first",
      requires: ({ idempotentIds }) => idempotentIds,
      async run(c) {
        const [first, second] = twins(c);
        assert.deepEqual(await c.broker.publish([first]), ["created"]);
        assert.deepEqual(await c.broker.publish([c.job(), second]), ["created", "duplicate"]);
        const consumer = await c.consumer();
        const claimed = await c.take(consumer, 2);
        const mine = claimed.find((job) => job.id === first.id);
        sameBytes(mine?.body, first.body);
        await c.nothing(consumer);
      },
    },
    {
      name: "report a duplicate within one batch",
      requires: ({ idempotentIds }) => idempotentIds,
      async run(c) {
        const [first, second] = twins(c);
        assert.deepEqual(await c.broker.publish([first, second, c.job()]), ["created", "duplicate", "created"]);
        const claimed = await c.take(await c.consumer(), 2);
        sameBytes(claimed.find((job) => job.id === first.id)?.body, first.body);
      },
    },
    {
      name: "report the later of one batch as the duplicate, also when the earlier is delayed",
      requires: ({ idempotentIds, delay }) => idempotentIds && delay,
      async run(c) {
        const [first, second] = twins(c);
        const delayed = { ...first, notBefore: { in: 2 * c.unit } };
        assert.deepEqual(await c.broker.publish([delayed, second]), ["created", "duplicate"]);
        await c.nothing(await c.consumer());
      },
    },
    {
      name: "are found in every state: scheduled, active, retrying and dead",
      requires: ({ idempotentIds, delay }) => idempotentIds && delay,
      async run(c) {
        const [first, second] = twins(c, { notBefore: { in: c.unit } });
        const duplicate = async (state: string) =>
          assert.deepEqual(await c.broker.publish([second]), ["duplicate"], `while it is ${state}`);
        await c.broker.publish([first]);
        await duplicate("scheduled");
        await c.advance(2 * c.unit);
        const consumer = await c.consumer();
        const lease = await c.takeOne(consumer);
        await duplicate("active");
        await consumer.settle([{ kind: "retry", lease, delay: c.unit, history: bytes("h") }]);
        await duplicate("retrying");
        await c.advance(2 * c.unit);
        const again = await c.takeOne(consumer);
        await consumer.settle([{ kind: "dead", lease: again, reason: "failed", history: bytes("h") }]);
        await duplicate("dead");
      },
    },
    {
      name: "are found among kept outcomes, and free again when the outcome is forgotten",
      requires: ({ idempotentIds, atomicOutcomes }) => idempotentIds && atomicOutcomes,
      async run(c) {
        const [first, second] = twins(c);
        await c.broker.publish([first]);
        const consumer = await c.consumer();
        const lease = await c.takeOne(consumer);
        await consumer.settle([{ kind: "complete", lease, outcome: outcomeOf(first.id) }]);
        assert.deepEqual(await c.broker.publish([second]), ["duplicate"]);
        await c.backend.forget([first.id]);
        assert.deepEqual(await c.broker.publish([second]), ["created"]);
      },
    },
    {
      name: "are free again when the outcome has expired, and when none was kept",
      requires: ({ idempotentIds, atomicOutcomes }) => idempotentIds && atomicOutcomes,
      async run(c) {
        const [first, second] = twins(c);
        const consumer = await c.consumer();
        await c.broker.publish([first]);
        const outcome = outcomeOf(first.id, { ttl: c.unit });
        await consumer.settle([{ kind: "complete", lease: await c.takeOne(consumer), outcome }]);
        await c.advance(2 * c.unit);
        assert.deepEqual(await c.broker.publish([second]), ["created"]);
        await c.complete(consumer, [await c.takeOne(consumer)]);
        assert.deepEqual(await c.broker.publish([first]), ["created"]);
      },
    },
    {
      name: "create one job when two connections publish it at once",
      requires: ({ idempotentIds }) => idempotentIds,
      async run(c) {
        const other = c.part("broker", await c.connect());
        const ids = Array.from({ length: 20 }, () => c.id());
        const publishAll = (broker: typeof other) =>
          Promise.all(ids.map((id) => broker.publish([c.job({ id, unique: true })])));
        const [ours, theirs] = await Promise.all([publishAll(c.broker), publishAll(other)]);
        for (const [index, [mine]] of ours.entries()) {
          assert.deepEqual([mine, theirs[index]?.[0]].sort(), ["created", "duplicate"]);
        }
        const consumer = await c.consumer();
        await c.take(consumer, 20);
        await c.nothing(consumer);
      },
    },
  ],
};

/** Two jobs with one id chosen by the caller. */
function twins(c: CaseContext, fields: Partial<OutgoingJob> = {}): [OutgoingJob, OutgoingJob] {
  const id = `invoice-${c.id()}`;
  const twin = (body: string) => c.job({ id, unique: true, body: bytes(body), ...fields });
  return [twin("first"), twin("second")];
}

async function exactLedger(c: CaseContext): Promise<void> {
  const published = new Set<string>();
  for (let batch = 0; batch < 10; batch++) {
    for (const id of await c.publish(...Array.from({ length: 1000 }, () => ({})))) published.add(id);
  }
  const consumers = [await c.consumer(), await c.consumer({}, await c.connect())];
  const claimed: string[] = [];
  const work = async (consumer: (typeof consumers)[number]) => {
    for (;;) {
      const jobs = await consumer.claim({ queues: [QUEUE], max: 100, wait: c.place.quiet ?? 0 });
      if (jobs.length === 0) return;
      claimed.push(...idsOf(jobs));
      await c.complete(consumer, jobs);
    }
  };
  await c.within(Promise.all(consumers.map(work)), 500 * c.unit);
  assert.equal(claimed.length, published.size);
  assert.deepEqual(new Set(claimed), published);
}
