import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Channel } from "../../../src/drivers/rabbitmq/client.js";
import { readMessage } from "../../../src/drivers/rabbitmq/message.js";
import { Subscription } from "../../../src/drivers/rabbitmq/subscription.js";
import { type Delivery, Unsettled } from "../../../src/drivers/rabbitmq/unsettled.js";
import { complete, connect, consume, job, place, rawChannel, SOON } from "./support.js";

/** What AMQP makes of acknowledgements: the tags that are left, and how many frames it took. */
class Ledger {
  readonly open = new Set<number>();
  frames = 0;

  ack({ fields }: Parameters<Channel["ack"]>[0], allUpTo = false): void {
    this.frames += 1;
    const { deliveryTag } = fields;
    if (!this.open.has(deliveryTag)) throw new Error(`PRECONDITION_FAILED - unknown delivery tag ${deliveryTag}`);
    for (const tag of [...this.open]) if (tag === deliveryTag || (allUpTo && tag < deliveryTag)) this.open.delete(tag);
  }
}

function deliver(count: number) {
  const ledger = new Ledger();
  const subscription = new Subscription("default", 100);
  const unsettled = new Unsettled({ ack: ledger.ack.bind(ledger) } as Channel);
  const deliveries = Array.from({ length: count }, (_, index): Delivery => {
    const fields = { deliveryTag: index + 1, redelivered: false, exchange: "", routingKey: "default" };
    const message = { content: Buffer.alloc(0), fields, properties: {} };
    return { tag: index + 1, message, delivered: readMessage(message), subscription, busy: false };
  });
  for (const delivery of deliveries) {
    ledger.open.add(delivery.tag);
    unsettled.add(delivery);
  }
  return { ledger, subscription, unsettled, deliveries };
}

describe("acknowledgements", () => {
  test("in any order and any batches reach exactly those that were settled", () => {
    const plan = fc
      .integer({ min: 1, max: 30 })
      .chain((count) => fc.tuple(fc.constant(count), fc.array(fc.array(fc.nat(count - 1)))));
    fc.assert(
      fc.property(plan, ([count, batches]) => {
        const { ledger, subscription, unsettled, deliveries } = deliver(count);
        const left = new Set(deliveries);
        for (const batch of batches) {
          const settled = [...new Set(batch)]
            .flatMap((index) => deliveries[index] ?? [])
            .filter((one) => left.has(one));
          unsettled.acknowledge(settled);
          for (const one of settled) left.delete(one);
          expect([...ledger.open]).toEqual([...left].map(({ tag }) => tag));
          expect(subscription.outstanding).toBe(left.size);
        }
      }),
    );
  });

  test("of jobs that end in the order in which they began take one frame for a batch", () => {
    const { ledger, unsettled, deliveries } = deliver(100);
    unsettled.acknowledge(deliveries.slice(0, 60));
    expect(ledger.frames).toBe(1);
    // One that is still at work holds up no more than its own.
    unsettled.acknowledge(deliveries.slice(61));
    expect(ledger.frames).toBe(1 + 39);
    unsettled.acknowledge(deliveries.slice(60, 61));
    expect([...ledger.open]).toEqual([]);
  });

  test("leave with the server what has not been settled, whatever was settled around it", async () => {
    const url = await place();
    const { broker } = await connect(url);
    await broker.sweep({ max: 1, delay: 0, jitter: 0 });
    const jobs = Array.from({ length: 9 }, () => job());
    await broker.publish(jobs);
    const consumer = await consume(broker);
    const claimed = await consumer.claim(SOON);
    expect(claimed).toHaveLength(9);
    const kept = claimed[4];
    await consumer.settle(claimed.filter((one) => one !== kept).map(complete));
    expect(await (await rawChannel(url)).checkQueue("default")).toMatchObject({ messageCount: 0 });
    await consumer.close();
    expect(await (await consume(broker)).claim(SOON)).toMatchObject([{ id: kept?.id, attempt: 2, losses: 1 }]);
  });
});

test("a worker holds no more than its capacity, however much its claims ask for", async () => {
  const { broker } = await connect(await place());
  await broker.publish(Array.from({ length: 100 }, () => job()));
  const few = await broker.consume({
    worker: "few",
    queues: ["default"],
    capacity: 10,
    lease: 30_000,
    onCancel: () => {},
  });
  const held = [];
  while (held.length < 10) held.push(...(await few.claim({ ...SOON, max: 500 })));
  expect(await few.claim({ ...SOON, max: 500, wait: 300 })).toEqual([]);
  expect(held).toHaveLength(10);
  const others = await consume(broker);
  const rest = [];
  while (rest.length < 90) rest.push(...(await others.claim({ ...SOON, max: 100 })));
  expect(rest).toHaveLength(90);
});
