import { describe, expect, test } from "vitest";
import type { Connection } from "../../../src/contracts/index.js";
import { Relay } from "../../support/relay.js";
import { until } from "../../support/until.js";
import { connect, consume, idle, job, NOW, serve } from "./outage-support.js";

const LONG = { queues: ["default"], max: 10, wait: 20_000 } as const;

/** What the queue's jobs are doing, by their ids. */
async function states({ inspector }: Required<Connection>, ...ids: string[]): Promise<(string | undefined)[]> {
  return (await inspector.find(ids)).map((found) => found?.state);
}

describe("a job that finds a consumer waiting", () => {
  test("is leased to it by the publish itself, one to each consumer, and comes with all that it has", async () => {
    const server = await serve();
    const connection = await connect(server.url);
    const { broker } = connection;
    const consumers = [await consume(broker), await consume(broker)];
    const claims = consumers.map((consumer) => consumer.claim(LONG));
    await idle(server, 2);
    const headers = { trace: "1" };
    await broker.publish([
      job({ id: "low" }),
      job({ id: "high", priority: 9, headers, expires: { in: 60_000 } }),
      job({ id: "lowest" }),
    ]);
    expect(await states(connection, "low", "high", "lowest")).toEqual(["active", "active", "waiting"]);
    const jobs = (await Promise.all(claims)).flat().sort((a, b) => b.priority - a.priority);
    expect(jobs).toMatchObject([
      { id: "high", priority: 9, headers, attempt: 1, losses: 0, expired: false },
      { id: "low", queue: "default", attempt: 1 },
    ]);
    expect((await consumers[0]?.claim(NOW))?.map(({ id }) => id)).toEqual(["lowest"]);
  });

  test.each([
    ["large", { body: Buffer.alloc(20_000) }],
    ["delayed", { notBefore: { in: 50 } }],
  ])("is claimed as ever where it is %s", async (_, fields) => {
    const server = await serve();
    const { broker } = await connect(server.url);
    const claim = (await consume(broker)).claim(LONG);
    await idle(server);
    await broker.publish([job({ id: "it", ...fields })]);
    expect(await claim).toMatchObject([{ id: "it", attempt: 1 }]);
  });

  test("waits while its queue is paused", async () => {
    const server = await serve();
    const connection = await connect(server.url);
    const claim = (await consume(connection.broker)).claim(LONG);
    await idle(server);
    await connection.inspector.pause("default");
    await connection.broker.publish([job({ id: "it" })]);
    expect(await states(connection, "it")).toEqual(["waiting"]);
    await connection.inspector.resume("default");
    expect(await claim).toMatchObject([{ id: "it" }]);
  });

  test("leaves the next delayed job to another consumer that waits", async () => {
    const server = await serve();
    const { broker } = await connect(server.url);
    const claims = [(await consume(broker)).claim(LONG)];
    await idle(server, 1);
    claims.push((await consume(broker)).claim(LONG));
    await idle(server, 2);
    await broker.publish([job({ id: "later", notBefore: { in: 300 } })]);
    await broker.publish([job({ id: "now" })]);
    const claimed = await Promise.all(claims);
    expect(
      claimed
        .flat()
        .map(({ id }) => id)
        .sort(),
    ).toEqual(["later", "now"]);
  });
});

describe("a job that was handed over", () => {
  test("through a message that never came is asked for at the end of the wait, and nothing counts as lost", async () => {
    const server = await serve();
    const relay = await Relay.before(server.url, /\bsubscribe\b/i);
    const deaf = await connect(relay.url);
    const consumer = await consume(deaf.broker);
    const claim = consumer.claim({ ...LONG, wait: 1000 });
    await idle(server);
    relay.muteListeners();
    const producer = await connect(server.url);
    await producer.broker.publish([job({ id: "it" })]);
    expect(await states(producer, "it")).toEqual(["active"]);
    expect(await claim).toMatchObject([{ id: "it", attempt: 1, losses: 0 }]);
    expect(await consumer.claim(NOW)).toEqual([]);
  });

  test("to a wait that is broken off is its answer all the same", async () => {
    const server = await serve();
    const relay = await Relay.before(server.url, /\bsubscribe\b/i);
    const consumer = await consume((await connect(relay.url)).broker);
    const abort = new AbortController();
    const claim = consumer.claim({ ...LONG, signal: abort.signal });
    await idle(server);
    relay.muteListeners();
    await (await connect(server.url)).broker.publish([job({ id: "it" })]);
    abort.abort();
    expect(await claim).toMatchObject([{ id: "it", attempt: 1 }]);
  });

  test("to a consumer that closes is given back at once, as if it had not been claimed", async () => {
    const server = await serve();
    const relay = await Relay.before(server.url, /\bsubscribe\b/i);
    const consumer = await consume((await connect(relay.url)).broker);
    const claim = consumer.claim(LONG);
    await idle(server);
    relay.muteListeners();
    const producer = await connect(server.url);
    await producer.broker.publish([job({ id: "it" })]);
    await consumer.close();
    expect(await claim).toEqual([]);
    expect(await (await consume(producer.broker)).claim(NOW)).toMatchObject([{ id: "it", attempt: 1, losses: 0 }]);
  });

  test("is not handed to one that broke its wait off", async () => {
    const server = await serve();
    const connection = await connect(server.url);
    const consumer = await consume(connection.broker);
    const abort = new AbortController();
    const claim = consumer.claim({ ...LONG, signal: abort.signal });
    await idle(server);
    abort.abort();
    expect(await claim).toEqual([]);
    await connection.broker.publish([job({ id: "it" })]);
    expect(await states(connection, "it")).toEqual(["waiting"]);
    await until("nobody to be noted", async () => (await server.ask("KEYS *waiter*")) === "*0\r\n" || undefined);
  });
});
