import assert from "node:assert/strict";
import type { Notifier, Topic } from "../../contracts/notifier.js";
import type { CaseGroup } from "./case.js";
import { bytes, type CaseContext, outcomeOf } from "./context.js";

export const notifications: CaseGroup = {
  name: "notifications",
  contracts: ["notifier", "backend"],
  cases: [
    {
      name: "tell of an outcome that is stored",
      async run(c) {
        const id = c.id();
        const heard = await listen(c, { kind: "outcome", id });
        await c.backend.store([outcomeOf(id)]);
        await c.until(() => heard.count > 0, "the notification");
      },
    },
    {
      name: "tell of a report",
      async run(c) {
        const id = c.id();
        const heard = await listen(c, { kind: "report", id });
        await c.backend.report([{ id, progress: bytes("10%"), ttl: 1000 * c.unit }]);
        await c.until(() => heard.count > 0, "the notification");
      },
    },
    {
      name: "reach another connection",
      async run(c) {
        const id = c.id();
        const heard = await listen(c, { kind: "outcome", id }, c.part("notifier", await c.connect()));
        await c.backend.store([outcomeOf(id)]);
        await c.until(() => heard.count > 0, "the notification");
      },
    },
    {
      name: "end with unsubscribing, which can be repeated",
      async run(c) {
        const id = c.id();
        const topic: Topic = { kind: "outcome", id };
        const ended = await listen(c, topic);
        const other = await listen(c, topic);
        ended.unsubscribe();
        ended.unsubscribe();
        await c.backend.store([outcomeOf(id)]);
        await c.until(() => other.count > 0, "the notification");
        assert.equal(ended.count, 0);
      },
    },
    {
      name: "survive a listener's end in the middle of them",
      async run(c) {
        const id = c.id();
        const topic: Topic = { kind: "outcome", id };
        let first = 0;
        const unsubscribe = await c.notifier.subscribe(topic, () => {
          first++;
          unsubscribe();
        });
        const second = await listen(c, topic);
        await c.backend.store([outcomeOf(id)]);
        await c.until(() => second.count > 0 && first > 0, "both notifications");
      },
    },
  ],
};

export const notificationsOfSettling: CaseGroup = {
  name: "notifications of settling",
  contracts: ["broker", "notifier", "backend"],
  cases: [
    {
      name: "always follow a subscription made before the settle",
      requires: ({ atomicOutcomes }) => atomicOutcomes,
      async run(c) {
        const consumer = await c.consumer({}, await c.connect());
        await c.publish(...Array.from({ length: 50 }, () => ({})));
        const jobs = await c.take(consumer, 50);
        const heard = await Promise.all(
          jobs.map(async (lease) => {
            const listener = await listen(c, { kind: "outcome", id: lease.id });
            await consumer.settle([{ kind: "complete", lease, outcome: outcomeOf(lease.id) }]);
            return listener;
          }),
        );
        await c.until(() => heard.every(({ count }) => count > 0), "all notifications");
      },
    },
    {
      name: "bring the outcome along, if anything, and nobody else's",
      requires: ({ atomicOutcomes }) => atomicOutcomes,
      async run(c) {
        const consumer = await c.consumer();
        await c.publish({}, {});
        const jobs = await c.take(consumer, 2);
        const heard = await Promise.all(jobs.map(({ id }) => listen(c, { kind: "outcome", id })));
        await consumer.settle(jobs.map((lease) => ({ kind: "complete", lease, outcome: outcomeOf(lease.id) })));
        await c.until(() => heard.every(({ count }) => count > 0), "both notifications");
        for (const [index, job] of jobs.entries()) {
          for (const id of heard[index]?.ids ?? []) assert.equal(id, job.id);
        }
      },
    },
    {
      name: "tell of a job cancelled before it started",
      requires: ({ cancel, atomicOutcomes }) => cancel && atomicOutcomes,
      async run(c) {
        const id = await c.publishOne();
        const heard = await listen(c, { kind: "outcome", id });
        await c.broker.cancel([{ id, outcome: outcomeOf(id, { state: "cancelled", attempt: 0 }) }]);
        await c.until(() => heard.count > 0, "the notification");
      },
    },
  ],
};

async function listen(c: CaseContext, topic: Topic, notifier: Notifier = c.notifier) {
  const heard = { count: 0, ids: [] as string[], unsubscribe() {} };
  heard.unsubscribe = await notifier.subscribe(topic, (outcome) => {
    heard.count++;
    if (outcome) heard.ids.push(outcome.id);
  });
  return heard;
}
