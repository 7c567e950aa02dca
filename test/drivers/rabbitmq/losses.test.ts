import type { Channel } from "amqplib";
import { describe, expect, test } from "vitest";
import { until } from "../../support/until.js";
import { complete, connect, consume, job, place, rawChannel, SOON, serve } from "./support.js";

/** Takes the one message of a queue and gives it back, as a worker does that dies. */
async function takeAndLose(channel: Channel, queue = "default"): Promise<void> {
  await until("a message", async () => {
    const message = await channel.get(queue);
    if (message === false) return undefined;
    channel.nack(message, false, true);
    return true;
  });
}

describe("what RabbitMQ says of earlier deliveries", () => {
  test.each([
    ["classic", 1],
    ["quorum", 3],
  ] as const)(
    "counts as attempts and losses: three of a %s queue are %i, since that is what it knows",
    async (type, known) => {
      const url = await place();
      const { broker } = await connect({ url, queueType: type });
      await broker.sweep({ max: 1, delay: 0, jitter: 0 });
      await broker.publish([job({ id: "it" })]);
      const channel = await rawChannel(url);
      for (let loss = 0; loss < 3; loss++) await takeAndLose(channel);
      const consumer = await consume(broker);
      const [first] = await consumer.claim(SOON);
      expect(first).toMatchObject({ id: "it", attempt: known + 1, losses: known });
      // They are in our own headers by now, and what comes is added.
      if (first === undefined) return;
      const history = Buffer.from("h");
      expect(await consumer.settle([{ kind: "retry", lease: first, delay: 0, history }])).toEqual(["settled"]);
      const [second] = await consumer.claim(SOON);
      expect(second).toMatchObject({ id: "it", attempt: known + 2, losses: known });
      if (second) expect(await consumer.settle([complete(second)])).toEqual(["settled"]);
    },
  );

  test("ends at the delivery limit of a quorum queue among our dead letters, also where nobody had one before", async () => {
    const server = await serve();
    const policy = `rabbit_policy:set(<<"/">>, <<"limit">>, <<"^default$">>, [{<<"delivery-limit">>, 2}], 0, <<"queues">>, <<"tests">>)`;
    expect(await server.evaluate(policy)).toBe("ok");
    const { broker, queueInspector } = await connect({ url: server.url, queueType: "quorum" });
    await broker.publish([job({ id: "poison", body: Buffer.from("its body") })]);
    const channel = await rawChannel(server.url);
    for (let loss = 0; loss < 3; loss++) await takeAndLose(channel);
    const dead = await until("a dead letter", async () => {
      const found = await queueInspector.dead("default", 0, 10);
      return found.length > 0 ? found : undefined;
    });
    expect(dead).toMatchObject([{ id: "poison", reason: "lease-lost", queue: "default" }]);
    expect(Buffer.from(dead[0]?.body ?? []).toString()).toBe("its body");
    expect(await queueInspector.retry("default", ["poison"])).toEqual(["poison"]);
    const [again] = await (await consume(broker)).claim(SOON);
    expect(again).toMatchObject({ id: "poison", attempt: 1, losses: 0 });
  }, 60_000);
});

test("a dead letter says why, when, of which queue and after how many attempts, in headers that anybody can read", async () => {
  const url = await place();
  const { broker } = await connect(url);
  const consumer = await consume(broker);
  const before = Date.now();
  await broker.publish([job({ id: "it", body: Buffer.from("its body"), priority: 3 })]);
  const [lease] = await consumer.claim(SOON);
  if (lease) await consumer.settle([{ kind: "dead", lease, reason: "rejected", history: Buffer.from("h") }]);
  const letter = await (await rawChannel(url)).get("default.dead");
  if (letter === false) throw new Error("there is no dead letter");
  expect(letter.content.toString()).toBe("its body");
  const { headers, messageId, deliveryMode, priority } = letter.properties;
  expect({ messageId, deliveryMode, priority }).toEqual({ messageId: "it", deliveryMode: 2, priority: 3 });
  expect(headers).toMatchObject({
    "taskwright-reason": "rejected",
    "taskwright-queue": "default",
    "taskwright-attempts": 1,
    "taskwright-history": Buffer.from("h"),
  });
  const died = Number(headers?.["taskwright-died"]);
  expect(died).toBeGreaterThanOrEqual(before);
  expect(died).toBeLessThanOrEqual(Date.now());
});
