import { memory } from "taskwright/drivers/memory";
import { FakeClock } from "taskwright/testing";
import type { Connection, Driver, OutgoingJob } from "../../../src/contracts/index.js";

export const QUEUE = "default";

/** A connection with everything that the memory driver has. */
export async function connect(driver: Driver = memory(), clock = new FakeClock()): Promise<Required<Connection>> {
  const silent = () => {};
  const logger = { debug: silent, info: silent, warn: silent, error: silent };
  return (await driver.connect({ clock, random: () => 0, logger })) as Required<Connection>;
}

export function job(id: string, fields: Partial<OutgoingJob> = {}): OutgoingJob {
  return { id, queue: QUEUE, priority: 0, task: "task", body: new Uint8Array([1]), ...fields };
}

export function consume({ broker }: Required<Connection>) {
  return broker.consume({ worker: "w", queues: [QUEUE], capacity: 100, lease: 30_000, onCancel() {} });
}
