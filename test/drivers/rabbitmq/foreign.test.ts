import { describe, expect, test } from "vitest";
import { until } from "../../support/until.js";
import { connect, consume, place, rawChannel, SOON } from "./support.js";

/** A queue with one message of somebody else's, and a consumer of ours. */
async function foreign(options: { expiration?: number; userId?: string }) {
  const url = await place();
  const { broker } = await connect(url);
  const channel = await rawChannel(url);
  const consumer = await consume(broker);
  await consumer.claim({ ...SOON, wait: 0 });
  channel.sendToQueue("default", Buffer.from("body"), { messageId: "theirs", ...options });
  const [claimed] = await consumer.claim(SOON);
  if (claimed === undefined) throw new Error("nothing came");
  const next = (queue: string) => until("the copy", async () => (await channel.get(queue)) || undefined);
  return { consumer, claimed, next };
}

const history = Buffer.from("h");

describe("properties of messages that others wrote", () => {
  // RabbitMQ takes what has expired out of its queue. It would do so to the dead letter, and would end a delay early.
  test("expiration is over once a worker has the job", async () => {
    const { consumer, claimed, next } = await foreign({ expiration: 60_000 });
    expect(await consumer.settle([{ kind: "retry", lease: claimed, delay: 0, history }])).toEqual(["settled"]);
    const [second] = await consumer.claim(SOON);
    if (second === undefined) throw new Error("nothing came again");
    await consumer.settle([{ kind: "dead", lease: second, reason: "failed", history }]);
    expect((await next("default.dead")).properties).toMatchObject({ messageId: "theirs", expiration: undefined });
  });

  test("a delay is not cut short by it", async () => {
    const { consumer, claimed } = await foreign({ expiration: 1_000 });
    const before = Date.now();
    await consumer.settle([{ kind: "retry", lease: claimed, delay: 5_000, history }]);
    expect(await consumer.claim({ ...SOON, wait: 20_000 })).toMatchObject([{ id: "theirs" }]);
    expect(Date.now() - before).toBeGreaterThanOrEqual(4_900);
  });

  // RabbitMQ closes the channel of who publishes under the name of another user.
  test("user_id is not brought along", async () => {
    const { consumer, claimed, next } = await foreign({ userId: "guest" });
    await consumer.settle([{ kind: "dead", lease: claimed, reason: "failed", history }]);
    expect((await next("default.dead")).properties).toMatchObject({ messageId: "theirs", userId: undefined });
  });
});
