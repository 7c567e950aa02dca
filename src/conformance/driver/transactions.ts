import assert from "node:assert/strict";
import type { OpenTransaction } from "../place.js";
import type { CaseGroup } from "./case.js";
import { type CaseContext, idsOf } from "./context.js";

export const transactions: CaseGroup = {
  name: "transactions",
  contracts: ["broker"],
  cases: [
    {
      name: "make their jobs visible when they commit",
      requires: ({ transactions }) => transactions,
      async run(c) {
        const { handle, commit } = await begin(c);
        const jobs = [c.job(), c.job()];
        assert.deepEqual(await c.broker.publish(jobs, handle), ["created", "created"]);
        await commit();
        assert.deepEqual(idsOf(await c.take(await c.consumer(), 2)).sort(), idsOf(jobs).sort());
      },
    },
    {
      name: "leave nothing when they roll back",
      requires: ({ transactions }) => transactions,
      async run(c) {
        const { handle, rollback } = await begin(c);
        const job = c.job();
        await c.broker.publish([job], handle);
        await rollback();
        const consumer = await c.consumer();
        await c.nothing(consumer);
        assert.deepEqual(await c.broker.publish([job]), ["created"]);
      },
    },
  ],
};

async function begin(c: CaseContext): Promise<OpenTransaction> {
  assert.ok(c.place.begin, "the driver claims transactions, so its place needs `begin`");
  return c.place.begin();
}
