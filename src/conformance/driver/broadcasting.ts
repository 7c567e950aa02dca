import assert from "node:assert/strict";
import type { Broadcaster } from "../../contracts/broadcaster.js";
import type { Envelope } from "../../contracts/broker.js";
import type { CaseGroup } from "./case.js";
import { type CaseContext, idsOf, manyBytes, QUEUE, sameBytes } from "./context.js";

const MANY = 1000;

/** Cases about what a subscription does not hear end with a job that it does hear: by then the other would have come. */
export const broadcasting: CaseGroup = {
  name: "broadcasting",
  contracts: ["broadcaster"],
  cases: [
    {
      name: "reaches every subscription to the queue, on every connection, once",
      async run(c) {
        const second = c.part("broadcaster", await c.connect());
        const heard = [await listen(c), await listen(c), await listen(c, { broadcaster: second })];
        const id = await send(c);
        for (const one of heard) await one.untilHeard(1);
        const last = await send(c, {}, second);
        for (const one of heard) {
          await one.untilHeard(2);
          assert.deepEqual(idsOf(one.jobs), [id, last]);
        }
      },
    },
    {
      name: "reaches nobody who listens to another queue, and those of several queues for each of them",
      async run(c) {
        const one = await listen(c);
        const both = await listen(c, { queues: [QUEUE, "other"] });
        const elsewhere = await send(c, { queue: "other" });
        const here = await send(c);
        await one.untilHeard(1);
        await both.untilHeard(2);
        assert.deepEqual(idsOf(one.jobs), [here]);
        assert.deepEqual(idsOf(both.jobs).sort(), [elsewhere, here].sort());
        assert.deepEqual(both.jobs.map(({ queue }) => queue).sort(), ["other", QUEUE].sort());
      },
    },
    {
      name: "ends with unsubscribing, which can be repeated, for that subscription only",
      async run(c) {
        const gone = await listen(c);
        const stays = await listen(c);
        await send(c);
        await gone.untilHeard(1);
        gone.unsubscribe();
        gone.unsubscribe();
        await send(c);
        await stays.untilHeard(2);
        const again = await listen(c);
        const last = await send(c);
        await again.untilHeard(1);
        await stays.untilHeard(3);
        assert.equal(gone.jobs.length, 1);
        assert.deepEqual(idsOf(again.jobs), [last]);
      },
    },
    {
      name: "ends with the connection, while others go on",
      async run(c) {
        const other = await c.connect();
        const gone = await listen(c, { broadcaster: c.part("broadcaster", other) });
        const stays = await listen(c);
        await other.close();
        await send(c);
        await stays.untilHeard(1);
        assert.equal(gone.jobs.length, 0);
      },
    },
    {
      name: "is missed by who comes later, and kept for nobody",
      async run(c) {
        const early = await listen(c);
        await send(c);
        await early.untilHeard(1);
        const late = await listen(c);
        const next = await send(c);
        await late.untilHeard(1);
        assert.deepEqual(idsOf(late.jobs), [next]);
      },
    },
    {
      name: "is heard by nobody where nobody listens",
      run: (c) => c.broadcaster.publish([c.job(), c.job({ queue: "other" })]),
    },
    {
      name: "brings the fields of an envelope unchanged, and no others",
      async run(c) {
        const heard = await listen(c, { queues: ["über queue: 100% {braces}*?"] });
        const headers = { lang: "py", nested: { list: [1, "two", null, true] } };
        const fields = { id: c.id(), queue: "über queue: 100% {braces}*?", priority: 7 };
        await c.broadcaster.publish([c.job({ ...fields, headers })]);
        await c.broadcaster.publish([c.job({ ...fields, priority: 0 })]);
        await heard.untilHeard(2);
        const [first, second] = heard.jobs.map(({ body, ...rest }) => rest);
        assert.deepEqual(first, { ...fields, headers });
        assert.deepEqual(second, { ...fields, priority: 0 });
      },
    },
    {
      name: "brings bodies unchanged, from none to as many bytes as the driver takes",
      async run(c) {
        const heard = await listen(c);
        const bodies = c.sizes([0, 1, 256]).map(manyBytes);
        for (const [index, body] of bodies.entries()) {
          await send(c, { body });
          await heard.untilHeard(index + 1);
          sameBytes(heard.jobs[index]?.body, body);
        }
      },
    },
    {
      name: `carries ${MANY.toLocaleString("en")} jobs of one batch in their order, and nothing of an empty one`,
      async run(c) {
        const heard = await listen(c);
        await c.broadcaster.publish([]);
        const jobs = Array.from({ length: MANY }, () => c.job());
        await c.broadcaster.publish(jobs);
        await heard.untilHeard(MANY);
        assert.deepEqual(idsOf(heard.jobs), idsOf(jobs));
      },
    },
  ],
};

export const broadcastingAside: CaseGroup = {
  name: "broadcasting beside a broker",
  contracts: ["broadcaster", "broker"],
  cases: [
    {
      name: "leaves nothing to claim, and is told of no job that is published to the broker",
      async run(c) {
        const heard = await listen(c);
        const consumer = await c.consumer();
        await send(c);
        await heard.untilHeard(1);
        await c.nothing(consumer);
        await c.claimedJob(consumer);
        await send(c);
        await heard.untilHeard(2);
      },
    },
  ],
};

interface ListenOptions {
  readonly queues?: readonly string[];
  readonly broadcaster?: Broadcaster;
}

async function listen(c: CaseContext, { queues = [QUEUE], broadcaster = c.broadcaster }: ListenOptions = {}) {
  const jobs: Envelope[] = [];
  const unsubscribe = await broadcaster.subscribe(queues, (heard) => void jobs.push(...heard));
  const untilHeard = (count: number) => c.until(() => jobs.length >= count, `${count} broadcasts`);
  return { jobs, unsubscribe, untilHeard };
}

async function send(c: CaseContext, fields: Partial<Envelope> = {}, broadcaster = c.broadcaster): Promise<string> {
  const job = c.job(fields);
  await broadcaster.publish([job]);
  return job.id;
}
