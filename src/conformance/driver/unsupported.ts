import assert from "node:assert/strict";
import { UnsupportedError } from "../../job/errors.js";
import type { CaseGroup } from "./case.js";
import { bytes, type CaseContext, outcomeOf } from "./context.js";

/** What a driver does not claim, it refuses with a typed error, rather than to do something else or nothing. */
export const unsupported: CaseGroup = {
  name: "unsupported",
  contracts: ["broker"],
  cases: [
    {
      name: "priorities are refused",
      requires: ({ priority }) => !priority,
      run: (c) => assertRefused(() => c.broker.publish([c.job({ priority: 1 })])),
    },
    {
      name: "delays are refused",
      requires: ({ delay }) => !delay,
      run: (c) => assertRefused(() => c.broker.publish([c.job({ notBefore: { in: 1000 * c.unit } })])),
    },
    {
      name: "ids of the caller's own are refused",
      requires: ({ idempotentIds }) => !idempotentIds,
      run: (c) => assertRefused(() => c.broker.publish([c.job({ id: "invoice-7", unique: true })])),
    },
    {
      name: "cancellation is refused",
      requires: ({ cancel }) => !cancel,
      async run(c) {
        const id = await c.publishOne();
        await assertRefused(() => c.broker.cancel([{ id }]));
      },
    },
    {
      name: "outcomes beside a settlement are refused",
      requires: ({ atomicOutcomes }) => !atomicOutcomes,
      async run(c) {
        const consumer = await c.consumer();
        const lease = await c.claimedJob(consumer);
        await assertRefused(() => consumer.settle([{ kind: "complete", lease, outcome: outcomeOf(lease.id) }]));
      },
    },
    {
      name: "transactions are refused, and nothing is published",
      requires: ({ transactions }) => !transactions,
      async run(c) {
        await assertRefused(() => c.broker.publish([c.job()], {}));
        await c.nothing(await c.consumer());
      },
    },
    {
      name: "transactions are refused, and nothing is settled",
      requires: ({ transactions }) => !transactions,
      async run(c) {
        const consumer = await c.consumer();
        const lease = await c.claimedJob(consumer);
        await assertRefused(() => consumer.settle([{ kind: "complete", lease }], {}));
        await c.complete(consumer, [lease]);
      },
    },
    {
      name: "a retry with a delay is refused",
      requires: ({ delay }) => !delay,
      async run(c) {
        const consumer = await c.consumer();
        const lease = await c.claimedJob(consumer);
        const retry = { kind: "retry", lease, delay: 1000 * c.unit, history: bytes("h") } as const;
        await assertRefused(() => consumer.settle([retry]));
      },
    },
    {
      name: "there is no inspector",
      requires: ({ inspect }) => !inspect,
      run: (c) => assertAbsent(c, "inspector"),
    },
    {
      name: "there is no inspector of queues",
      requires: ({ deadLetters }) => !deadLetters,
      run: (c) => assertAbsent(c, "queueInspector"),
    },
    {
      name: "there is no notifier",
      requires: ({ push }) => !push,
      run: (c) => assertAbsent(c, "notifier"),
    },
    {
      name: "there is no broadcaster",
      requires: ({ broadcast }) => !broadcast,
      run: (c) => assertAbsent(c, "broadcaster"),
    },
  ],
};

async function assertRefused(operation: () => Promise<unknown>): Promise<void> {
  await assert.rejects(operation, UnsupportedError);
}

async function assertAbsent(
  c: CaseContext,
  contract: "inspector" | "queueInspector" | "notifier" | "broadcaster",
): Promise<void> {
  assert.equal(c.connection[contract], undefined);
}
