import { BrokerError } from "taskwright";
import { describe, expect, onTestFinished, test } from "vitest";
import { claim } from "../../../src/drivers/redis/scripts/claim.js";
import { publish } from "../../../src/drivers/redis/scripts/publish.js";
import { settle } from "../../../src/drivers/redis/scripts/settle.js";
import { deferred } from "../../core/support.js";
import { until } from "../../support/until.js";
import { appAt, complete, connect, consume, failure, idle, job, NOW, Relay, serve } from "./outage-support.js";

describe("a connection that is cut", () => {
  test("after a publish that the server took: the outcome is unknown, and the same id makes the retry safe", async () => {
    const server = await serve();
    const relay = await Relay.before(server.port);
    const { broker, inspector } = await connect(relay.url);
    await broker.publish([job()]);
    const lost = relay.loseAnswerTo(publish.digest);
    const once = job({ id: "order-1", unique: true });
    const error = await failure(broker.publish([once]));
    await lost;
    expect(error).toBeInstanceOf(BrokerError);
    expect(error).toMatchObject({ outcome: "unknown", retryable: true });
    expect(await broker.publish([once])).toEqual(["duplicate"]);
    expect((await inspector.queues())[0]?.counts.waiting).toBe(2);
  });

  test("after a claim that the server granted: the jobs are had again at once, and nothing counts as lost", async () => {
    const server = await serve();
    const relay = await Relay.before(server.port);
    const { broker } = await connect(relay.url);
    const consumer = await consume(broker);
    expect(await consumer.claim(NOW)).toEqual([]);
    const [one, two] = [job(), job({ priority: 3 })];
    await broker.publish([one, two]);
    const lost = relay.loseAnswerTo(claim.whenFull.digest);
    expect(await failure(consumer.claim(NOW))).toMatchObject({ code: "broker", outcome: "unknown" });
    await lost;
    expect(await server.ask("HLEN {taskwright}:held:default")).toBe(":2\r\n");
    const claimed = await consumer.claim({ ...NOW, wait: 5000 });
    expect(claimed.map(({ id }) => id).sort()).toEqual([one.id, two.id].sort());
    for (const { attempt, losses } of claimed) expect({ attempt, losses }).toEqual({ attempt: 1, losses: 0 });
    const settled = await consumer.settle(claimed.map((lease) => complete(lease)));
    expect(settled).toEqual(["settled", "settled"]);
    expect(await consumer.claim(NOW)).toEqual([]);
  });

  test("after a settle that the server took: the worker asks again and the result is there, once", async () => {
    const server = await serve();
    const relay = await Relay.before(server.port);
    const app = appAt(relay.url);
    let runs = 0;
    const count = app.task("count", () => ++runs);
    const worker = app.worker();
    await worker.start();
    expect(await count.enqueue().result({ timeout: "5s" })).toBe(1);
    await idle(server);
    const lost = relay.loseAnswerTo(settle.whenFull.digest);
    expect(await count.enqueue().result({ timeout: "5s" })).toBe(2);
    await lost;
    await worker.stop();
    expect(runs).toBe(2);
    expect(await app.inspect.queues()).toEqual([]);
  });

  test.each(["normal", "pubsub"])(
    "CLIENT KILL TYPE %s, while jobs and results are waited for: both arrive",
    async (type) => {
      const server = await serve();
      const [producer, consumer] = [appAt(server.url), appAt(server.url)];
      const goOn = deferred();
      onTestFinished(() => goOn.resolve());
      const double = (n: number) => 2 * n;
      const [fast, slow] = [producer.task("double", double), producer.task("slow", () => "never here")];
      consumer.task("double", double);
      consumer.task("slow", () => goOn.promise.then(() => "slow"));
      const worker = consumer.worker({ concurrency: 2 });
      await worker.start();
      const waiting = (await slow.enqueue()).result({ timeout: "4s" });
      expect(await fast.enqueue(1).result({ timeout: "4s" })).toBe(2);
      await idle(server);
      await server.ask(`CLIENT KILL TYPE ${type} SKIPME yes`);
      // The one sent before the cut is noticed fails, and says that it may have come through.
      const after = await until("an answer", () => fast.with({ id: "after" }).enqueue(21));
      expect(await after.result({ timeout: "4s" })).toBe(42);
      goOn.resolve();
      expect(await waiting).toBe("slow");
    },
  );
});
