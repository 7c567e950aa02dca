import { BrokerError } from "taskwright";
import { describe, expect, onTestFinished, test } from "vitest";
import { deferred, RecordingLogger } from "../../core/support.js";
import { Relay } from "../../support/relay.js";
import { until } from "../../support/until.js";
import { appAt, complete, connect, consume, failure, job, place, SOON, serve } from "./support.js";

const LONG = 90_000;

describe("a connection that is cut", () => {
  test(
    "gives its jobs to others, and its holder can neither settle nor extend them",
    async () => {
      const url = await place();
      const relay = await Relay.before(url);
      const [cut, other] = [await connect(relay.url), await connect(url)];
      await other.broker.sweep({ max: 1, delay: 0, jitter: 0 });
      const consumer = await consume(cut.broker);
      const it = job();
      await cut.broker.publish([it]);
      const [lease] = await consumer.claim(SOON);
      if (lease === undefined) throw new Error("nothing was claimed");
      relay.cut();
      const [again] = await (await consume(other.broker)).claim(SOON);
      expect(again).toMatchObject({ id: it.id, attempt: 2, losses: 1 });
      expect(await consumer.settle([complete(lease)])).toEqual(["lost"]);
      expect(await consumer.extend([lease])).toEqual(["lost"]);
    },
    LONG,
  );

  test(
    "while an app is at work: it goes on by itself, and nothing that was acknowledged is lost",
    async () => {
      const relay = await Relay.before(await place());
      const app = appAt(relay.url);
      const runs = new Map<number, number>();
      const note = app.task("note", { attempts: 20 }, (n: number) => void runs.set(n, (runs.get(n) ?? 0) + 1));
      app.on("worker:error", () => {});
      await app.worker({ concurrency: 10, poisonLimit: 20, lease: 3000 }).start();
      for (let n = 0; n < 300; n++) {
        if (n % 60 === 30) relay.cut();
        await until("an acknowledgement", () => note.enqueue(n));
      }
      await until("every job", async () => (runs.size === 300 ? true : undefined), 60_000);
    },
    LONG,
  );

  test(
    "that is only silent is over after two heartbeats",
    async () => {
      const relay = await Relay.before(await place());
      const { broker } = await connect(`${relay.url}?heartbeat=1s&timeout=20s`);
      const consumer = await consume(broker);
      expect(await consumer.claim({ ...SOON, wait: 50 })).toEqual([]);
      const waiting = failure(consumer.claim({ ...SOON, wait: 60_000 }));
      relay.swallow();
      expect(await waiting).toMatchObject({
        code: "broker",
        retryable: true,
        message: expect.stringMatching(/heartbeat|broke/),
      });
      await broker.publish([job({ id: "after" })]);
      expect(await consumer.claim(SOON)).toMatchObject([{ id: "after", attempt: 1 }]);
    },
    LONG,
  );

  test(
    "by an operator is no more than a pause, of which the log tells",
    async () => {
      const server = await serve();
      const logger = new RecordingLogger();
      const app = appAt(server.url, { logger });
      const double = app.task("double", (n: number) => 2 * n);
      app.on("worker:error", () => {});
      await app.worker().start();
      expect(await double.enqueue(1).result({ timeout: "10s" })).toBe(2);
      await server.closeConnections();
      const after = await until("an acknowledgement", () => double.enqueue(21));
      expect(await after.result({ timeout: "20s" })).toBe(42);
      expect(logger.messages("warn").sort()).toEqual([
        "the consumer's connection to rabbitmq broke; it is opened again",
        "the publisher's connection to rabbitmq broke; it is opened again",
      ]);
    },
    LONG,
  );
});

describe("a server that restarts", () => {
  test.each(["in order", "after SIGKILL"])(
    "%s: waiting, delayed and active jobs all run, by the same worker",
    async (how) => {
      const server = await serve();
      const app = appAt(server.url);
      const [started, goOn] = [deferred(), deferred()];
      onTestFinished(() => goOn.resolve());
      const runs = new Set<number>();
      const note = app.task("note", { queue: "notes" }, (n: number) => void runs.add(n));
      const hold = app.task("hold", { queue: "holds", attempts: 5 }, async () => {
        started.resolve();
        await goOn.promise;
        return "held";
      });
      app.on("worker:error", () => {});
      const held = await hold.enqueue();
      await app.worker({ queues: ["holds"], lease: 3000 }).start();
      await started.promise;
      for (let n = 0; n < 100; n++) await note.with(n % 2 === 0 ? {} : { delay: "3s" }).enqueue(n);
      if (how === "in order") await server.stop();
      else await server.kill("SIGKILL");
      await server.start();
      goOn.resolve();
      await app.worker({ queues: ["notes"], lease: 3000 }).start();
      expect(await held.result({ timeout: "30s" })).toBe("held");
      await until("every note", async () => (runs.size === 100 ? true : undefined), 30_000);
    },
    LONG,
  );

  test(
    "fails calls within their deadline meanwhile, and says that nothing was sent",
    async () => {
      const server = await serve();
      const { broker } = await connect(`${server.url}?timeout=500ms`);
      await broker.publish([job()]);
      await server.kill("SIGKILL");
      const error = await until("a failure", () => failure(broker.publish([job()])));
      expect(error).toBeInstanceOf(BrokerError);
      const next = await failure(broker.publish([job()]));
      expect(next).toMatchObject({
        outcome: "none",
        retryable: true,
        message: expect.stringContaining("nobody listens"),
      });
      await server.start();
      expect(await until("an acknowledgement", () => broker.publish([job()]))).toEqual(["created"]);
    },
    LONG,
  );
});

describe("a memory alarm", () => {
  test(
    "holds up who publishes, with an error that says so; workers go on settling, and all goes on when it ends",
    async () => {
      const server = await serve();
      const { broker } = await connect(`${server.url}?timeout=1s`);
      const consumer = await consume(broker);
      await broker.publish([job(), job()]);
      const claimed = await consumer.claim(SOON);
      await server.alarm(true);
      const first = await failure(broker.publish([job()]));
      expect(first).toMatchObject({ code: "broker", retryable: true, outcome: "unknown" });
      const second = await failure(broker.publish([job()]));
      expect(second).toMatchObject({
        retryable: true,
        outcome: "none",
        message: expect.stringMatching(/low on memory/),
      });
      expect(await consumer.settle(claimed.map(complete))).toEqual(claimed.map(() => "settled"));
      await server.alarm(false);
      expect(await broker.publish([job({ id: "after" })])).toEqual(["created"]);
      const ids: string[] = [];
      await until("the job", async () => {
        ids.push(...(await consumer.claim(SOON)).map(({ id }) => id));
        return ids.includes("after") ? true : undefined;
      });
    },
    LONG,
  );
});
