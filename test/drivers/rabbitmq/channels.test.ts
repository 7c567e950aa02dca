import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { deferred, RecordingLogger } from "../../core/support.js";
import { type RabbitmqServer, startRabbitmq } from "../../support/rabbitmq/server.js";
import { until } from "../../support/until.js";
import { appAt, complete, connect, consume, failure, job, rawChannel, SOON } from "./support.js";

const LONG = 60_000;

let server: RabbitmqServer;
let places = 0;
beforeAll(async () => {
  server = await startRabbitmq();
}, LONG);
afterAll(() => server.remove());

/** An empty virtual host of the server that these tests hurt, and heal. */
function freshPlace(): Promise<string> {
  places += 1;
  return server.addVhost(`channels-${places}`);
}

describe("a channel that RabbitMQ closes", () => {
  test(
    "because a job ran for longer than it allows: the job runs again, its neighbours go on, and what to raise is said",
    async () => {
      // It looks once a minute, unless told otherwise; rabbitmq.conf has no line for that. Each channel reads it when it opens.
      const set = (name: string, ms: number) => server.evaluate(`application:set_env(rabbit, ${name}, ${ms})`);
      expect([await set("consumer_timeout", 1000), await set("channel_tick_interval", 200)]).toEqual(["ok", "ok"]);
      onTestFinished(async () => {
        await set("consumer_timeout", 1_800_000);
        await set("channel_tick_interval", 60_000);
      });
      const app = appAt(await freshPlace());
      const goOn = deferred();
      onTestFinished(() => goOn.resolve());
      const attempts: number[] = [];
      const slow = app.task("slow", { queue: "slow", attempts: 5 }, async () => {
        if (attempts.push(attempts.length) === 1) await goOn.promise;
        return "done";
      });
      const errors: string[] = [];
      app.on("worker:error", ({ error }) => errors.push(String(error)));
      const lost: string[] = [];
      app.on("job:lost", ({ id }) => lost.push(id));
      await app.worker({ queues: ["slow"], lease: 3000, heartbeat: 200 }).start();
      const held = await slow.enqueue();
      expect(await held.result({ timeout: "20s" })).toBe("done");
      goOn.resolve();
      expect(attempts).toHaveLength(2);
      expect(lost).toEqual([held.id]);
      expect(errors.join("\n")).toContain("raise it in rabbitmq.conf");
      expect(await slow.enqueue().result({ timeout: "20s" })).toBe("done");
    },
    LONG,
  );

  test("of who publishes, because an exchange is gone: the job is an error, and the next try makes the exchange again", async () => {
    const url = await freshPlace();
    const { broker } = await connect(url);
    const later = (id: string) => job({ id, notBefore: { in: 300 } });
    await broker.publish([later("first")]);
    // 300 ms are 0x12c: they begin at place 2.
    await (await rawChannel(url)).deleteExchange("taskwright.delay.2");
    const error = await failure(broker.publish([later("second")]));
    expect(error).toMatchObject({ code: "broker", retryable: true });
    expect(String(error)).toMatch(/404|NOT_FOUND/);
    expect(await until("an acknowledgement", () => broker.publish([later("third")]))).toEqual(["created"]);
    const consumer = await consume(broker);
    const ids = new Set<string>();
    await until("both", async () => {
      const claimed = await consumer.claim(SOON);
      await consumer.settle(claimed.map(complete));
      for (const { id } of claimed) ids.add(id);
      return ids.has("first") && ids.has("third") ? true : undefined;
    });
  });
});

describe("publishing", () => {
  test("goes through one channel, and is held up by an alarm of memory or disk, which is logged and tells itself from silence", async () => {
    const [url, logger] = [await freshPlace(), new RecordingLogger()];
    const app = appAt(url, { logger });
    const note = app.task("note", () => {});
    await Promise.all(Array.from({ length: 3000 }, () => note.enqueue()));
    const confirming = `length([C || C <- rabbit_channel:info_all([confirm]), C =:= [{confirm, true}]])`;
    expect(await server.evaluate(confirming)).toBe("1");
    const channel = await rawChannel(url);
    const count = async () => (await channel.checkQueue("default")).messageCount;
    expect(await count()).toBe(3000);
    for (const [resource, words] of [
      ["memory", "low on memory"],
      ["disk", "low on disk"],
    ] as const) {
      await server.alarm(true, resource);
      const before = await count();
      const blocked = note.enqueue();
      await until("a warning", async () => {
        const warned = logger.lines.find(({ level, fields }) => level === "warn" && fields.reason === words);
        return warned === undefined ? undefined : true;
      });
      expect(await count()).toBe(before);
      await server.alarm(false, resource);
      await blocked;
      expect(await count()).toBe(before + 1);
    }
  }, 60_000);
});

test("a lost job that cannot be sent on, since RabbitMQ takes none, is claimed where it is, and the log says so", async () => {
  const [url, logger] = [await freshPlace(), new RecordingLogger()];
  const { broker } = await connect(`${url}?timeout=1s`, logger);
  await broker.publish([job({ id: "it" })]);
  const channel = await rawChannel(url);
  const message = await channel.get("default");
  if (message === false) throw new Error("there is no message");
  channel.nack(message, false, true);
  const consumer = await consume(broker);
  await server.alarm(true);
  onTestFinished(() => server.alarm(false));
  expect(await consumer.claim(SOON)).toMatchObject([{ id: "it", attempt: 2, losses: 1 }]);
  expect(logger.messages("debug")).toContain("jobs could not be sent on; they stay to be claimed here");
}, 60_000);
