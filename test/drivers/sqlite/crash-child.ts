import { writeSync } from "node:fs";
import type { Connection } from "../../../src/contracts/index.js";
import type { ClientName } from "../../../src/drivers/sqlite/clients/client.js";
import { sqlite } from "../../../src/drivers/sqlite/index.js";

/** The process that `crash.test.ts` kills. It writes the ids of each batch when that was acknowledged, and never stops. */
const [role, path = "", client] = process.argv.slice(2);
const silent = () => {};
const connection = (await sqlite({ path, client: client as ClientName }).connect({
  clock: { now: () => Date.now(), schedule: () => silent },
  random: Math.random,
  logger: { debug: silent, info: silent, warn: silent, error: silent },
})) as Required<Connection>;

await (role === "publish" ? publishForEver() : workForEver());

async function publishForEver(): Promise<void> {
  for (let batch = 0; ; batch++) {
    const ids = Array.from({ length: 7 }, (_, index) => `${process.pid}-${batch}-${index}`);
    const jobs = ids.map((id) => ({ id, queue: "default", priority: 0, task: "t", body: Buffer.from(id) }));
    await connection.broker.publish(jobs);
    acknowledge(ids);
  }
}

async function workForEver(): Promise<void> {
  const consumer = await connection.broker.consume({
    worker: "killed",
    queues: ["default"],
    capacity: 7,
    lease: 1,
    onCancel: silent,
  });
  for (;;) {
    const leases = await consumer.claim({ queues: ["default"], max: 7, wait: 0 });
    const body = Buffer.from("by the killed");
    const settlements = leases.map((lease) => {
      return { kind: "complete", lease, outcome: { id: lease.id, state: "completed", attempt: 1, body } } as const;
    });
    await consumer.settle(settlements);
    if (leases.length > 0) acknowledge(leases.map(({ id }) => id));
    else await new Promise((resolve) => setImmediate(resolve));
  }
}

function acknowledge(ids: readonly string[]): void {
  writeSync(1, `${ids.join(" ")}\n`);
}
