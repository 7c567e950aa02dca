import { ConfigError } from "taskwright";
import { rabbitmq } from "taskwright/drivers/rabbitmq";
import { describe, expect, test } from "vitest";
import { until } from "../../support/until.js";
import { appAt, complete, connect, consume, failure, job, place, rawChannel, SOON } from "./support.js";

describe("queues", () => {
  test("that exist with other settings are refused in plain words, by producers and workers", async () => {
    const url = await place();
    await (await rawChannel(url)).assertQueue("default", { durable: true });
    const { broker } = await connect(url);
    for (const refused of [broker.publish([job()]), consume(broker)]) {
      const error = await failure(refused);
      expect(error).toBeInstanceOf(ConfigError);
      expect(String(error)).toMatch(/exists with other settings.*queueType and maxPriority.*x-max-priority/);
    }
    const plain = await connect(`${url}?maxPriority=0`);
    expect(await plain.broker.publish([job()])).toEqual(["created"]);
    // What was refused does not trouble others on the same connection.
    expect(await broker.publish([job({ queue: "other" })])).toEqual(["created"]);
  });

  test("that are deleted meanwhile: the job is an error and not lost in silence, and the next try makes the queue again", async () => {
    const url = await place();
    const { broker } = await connect(url);
    await broker.publish([job()]);
    await (await rawChannel(url)).deleteQueue("default");
    const error = await failure(broker.publish([job()]));
    expect(error).toMatchObject({ code: "broker", outcome: "none", retryable: true });
    expect(String(error)).toMatch(/"default" has been deleted/);
    expect(await broker.publish([job({ id: "again" })])).toEqual(["created"]);
    expect(await (await consume(broker)).claim(SOON)).toMatchObject([{ id: "again" }]);
  });

  test("of which one is deleted fail a batch that is for others too, which says that a part of it is there", async () => {
    const url = await place();
    const { broker } = await connect(url);
    await broker.publish([job(), job({ queue: "other" })]);
    const channel = await rawChannel(url);
    await channel.deleteQueue("default");
    const error = await failure(broker.publish([job(), job({ queue: "other" })]));
    expect(error).toMatchObject({ code: "broker", outcome: "unknown", retryable: true });
    expect(String(error)).toMatch(/"default" has been deleted.*a part of the batch was taken/);
    expect(await channel.checkQueue("other")).toMatchObject({ messageCount: 2 });
  });

  test("that are deleted while a worker waits are made again by its next claim", async () => {
    const url = await place();
    const { broker } = await connect(url);
    const consumer = await consume(broker);
    const claim = consumer.claim(SOON);
    await (await rawChannel(url)).deleteQueue("default");
    await until("an acknowledgement", () => broker.publish([job({ id: "after" })]));
    expect(await claim).toMatchObject([{ id: "after" }]);
  });

  test("of quorum type move jobs, delays, losses and dead letters, and have no priorities", async () => {
    const url = await place();
    const { broker, queueInspector } = await connect({ url, queueType: "quorum" });
    await broker.sweep({ max: 1, delay: 0, jitter: 0 });
    expect(rabbitmq({ url, queueType: "quorum" }).capabilities.priority).toBe(false);
    expect(await failure(broker.publish([job({ priority: 1 })]))).toMatchObject({ code: "unsupported" });
    const [now, later] = [job(), job({ notBefore: { in: 300 } })];
    await broker.publish([later, now]);
    const consumer = await consume(broker);
    const [first] = await consumer.claim(SOON);
    const [second] = await consumer.claim(SOON);
    expect([first?.id, second?.id]).toEqual([now.id, later.id]);
    if (first === undefined || second === undefined) return;
    await consumer.settle([complete(first)]);
    await consumer.close();
    const next = await consume(broker);
    const [lost] = await next.claim(SOON);
    expect(lost).toMatchObject({ id: later.id, attempt: 2, losses: 1 });
    if (lost === undefined) return;
    const history = Buffer.from("h");
    expect(await next.settle([{ kind: "dead", lease: lost, reason: "failed", history }])).toEqual(["settled"]);
    expect(await queueInspector.dead("default", 0, 10)).toMatchObject([{ id: later.id, reason: "failed", losses: 1 }]);
  });
});

describe("messages of others", () => {
  test("without an id, headers or a body that can be read are parked once, with their bytes", async () => {
    const url = await place();
    const app = appAt(url);
    const parked = new Promise((resolve) => app.on("job:dead", resolve));
    await app.worker().start();
    (await rawChannel(url)).sendToQueue("default", Buffer.from("what is this?"), {
      headers: { "taskwright-attempts": "x" },
    });
    expect(await parked).toMatchObject({ reason: "unreadable", attempt: 1 });
    const { jobs } = await app.inspect.jobs({ state: "dead" });
    expect(jobs).toMatchObject([{ queue: "default", reason: "unreadable", state: "dead" }]);
    expect(Buffer.from(jobs[0]?.body ?? []).toString()).toBe("what is this?");
  });

  test("of a history that no header can hold keep it all the same", async () => {
    const { broker } = await connect(await place());
    const consumer = await consume(broker);
    await broker.publish([job({ body: Buffer.from("the body") })]);
    const [lease] = await consumer.claim(SOON);
    const history = Buffer.alloc(300_000, "h");
    if (lease) await consumer.settle([{ kind: "retry", lease, delay: 0, history }]);
    const [again] = await consumer.claim(SOON);
    expect(String(again?.body)).toBe("the body");
    expect(history.equals(again?.history ?? Buffer.alloc(0))).toBe(true);
  });
});

test("results without a backend are an error that says what to set", async () => {
  const app = appAt(await place(), { backend: undefined } as object);
  const add = app.task("add", (a: number, b: number) => a + b);
  await expect(add.enqueue(1, 2).result()).rejects.toThrow(/rabbitmq keeps no results: set `backend`/);
});

test("dead letters are listed, retried and discarded through the app, and counted with what waits", async () => {
  const app = appAt(await place());
  let fails = true;
  const shaky = app.task("shaky", { queue: "shaky", attempts: 1 }, () => {
    if (fails) throw new Error("not today");
    return "fine";
  });
  const worker = app.worker({ queues: ["shaky"] });
  const [one, two] = [await shaky.enqueue(), await shaky.enqueue()];
  await worker.start();
  for (const dead of [one, two]) await expect(dead.result({ timeout: "10s" })).rejects.toThrow("not today");
  await worker.stop();
  expect(await app.inspect.queues()).toEqual([{ queue: "shaky", paused: false, counts: { waiting: 0, dead: 2 } }]);
  const { jobs } = await app.inspect.jobs({ state: "dead" });
  expect(jobs.map(({ id }) => id).sort()).toEqual([one.id, two.id].sort());
  expect(await app.inspect.discard([two.id])).toEqual([two.id]);
  fails = false;
  expect(await app.inspect.retry([one.id, two.id])).toEqual([one.id]);
  await app.worker({ queues: ["shaky"] }).start();
  expect(await one.result({ timeout: "10s" })).toBe("fine");
  await expect(app.inspect.jobs()).rejects.toThrow(/rabbitmq cannot list jobs that are not dead/);
  await expect(app.inspect.pause("shaky")).rejects.toThrow(/rabbitmq cannot pause/);
});
