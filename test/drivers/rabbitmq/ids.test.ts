import { UnsupportedError } from "taskwright";
import { memory } from "taskwright/drivers/memory";
import { describe, expect, test } from "vitest";
import { RecordingLogger, tapped } from "../../core/support.js";
import { redisPlace } from "../../support/redis/shared.js";
import { Relay } from "../../support/relay.js";
import { until } from "../../support/until.js";
import { appAt, place, rawChannel } from "./support.js";

describe("an id of the caller's own", () => {
  test("makes a job unique for all who share the backend, also when many enqueue it at once", async () => {
    const [url, backend] = [await place(), await redisPlace()];
    const runs: number[] = [];
    const tasks = [0, 1, 2].map(() => {
      const app = appAt(url, { backend });
      return { app, note: app.task("note", (n: number) => void runs.push(n)).with({ id: "once" }) };
    });
    const enqueued = await Promise.all(
      tasks.flatMap(({ note }, index) => Array.from({ length: 20 }, () => note.enqueue(index))),
    );
    const created = enqueued.filter(({ duplicate }) => !duplicate);
    expect(created).toHaveLength(1);
    await tasks[0]?.app.worker().start();
    await created[0]?.result({ timeout: "10s" });
    expect(runs).toHaveLength(1);
    const [first] = tasks;
    expect((await first?.note.enqueue(9))?.duplicate).toBe(true);
    expect(await created[0]?.forget()).toBe(true);
    expect((await first?.note.enqueue(9))?.duplicate).toBe(false);
  });

  test("is refused without a backend, with what to set", async () => {
    const app = appAt(await place(), { backend: undefined } as object);
    const error = await app
      .task("note", () => {})
      .with({ id: "once" })
      .enqueue()
      .catch((error: unknown) => error);
    expect(error).toBeInstanceOf(UnsupportedError);
    expect(String(error)).toMatch(/an id of yours .*set `backend`/);
  });

  test("is free again when its queue turned out to be deleted", async () => {
    const url = await place();
    const app = appAt(url);
    const note = app.task("note", () => {});
    await note.enqueue();
    await (await rawChannel(url)).deleteQueue("default");
    const once = note.with({ id: "once" });
    await expect(once.enqueue()).rejects.toMatchObject({ code: "broker", outcome: "none" });
    expect((await once.enqueue()).duplicate).toBe(false);
    expect((await once.enqueue()).duplicate).toBe(true);
  });
});

describe("a job of which two copies are there", () => {
  test("because its worker died when it had sent the retry: the one that comes back does not run once the other has completed", async () => {
    const [url, backend, logger] = [await place(), await redisPlace(), new RecordingLogger()];
    const relay = await Relay.before(url);
    let runs = 0;
    const [dying, living] = [`${relay.url}?timeout=1s`, url].map((broker) => {
      const app = appAt(broker, { backend, logger });
      app.on("worker:error", () => {});
      const run = (): string => {
        if (++runs === 1) throw new Error("not yet");
        return "done";
      };
      return { app, shaky: app.task("shaky", { attempts: 5, backoff: { type: "fixed", delay: 0 } }, run) };
    });
    // Only a job that had an attempt carries it: the retry is there, and its predecessor is not acknowledged.
    const sent = relay.loseAnswerTo("taskwright-attempts");
    await dying?.app.worker().start();
    const job = await living?.shaky.enqueue();
    await sent;
    await relay.down();
    await living?.app.worker({ lease: 3000 }).start();
    expect(await job?.result({ timeout: "10s" })).toBe("done");
    const known = "a job came once more after it had completed; it does not run again";
    await until("its return", async () => (logger.messages("debug").includes(known) ? true : undefined));
    expect(runs).toBe(2);
  });
});

describe("a job whose worker lost its connection", () => {
  test("when the outcome was stored and nothing acknowledged does not run again", async () => {
    const relay = await Relay.before(await place());
    let stored = 0;
    const backend = tapped(memory(), async (call, next) => {
      const answer = await next();
      if (call.method === "store" && ++stored === 1) relay.cut();
      return answer;
    });
    const logger = new RecordingLogger();
    const app = appAt(relay.url, { backend, logger });
    app.on("worker:error", () => {});
    let runs = 0;
    const note = app.task("note", { attempts: 5 }, () => ++runs);
    const job = await note.enqueue();
    await app.worker({ lease: 3000 }).start();
    expect(await job.result({ timeout: "10s" })).toBe(1);
    const known = "a job came once more after it had completed; it does not run again";
    await until("its return", async () => (logger.messages("debug").includes(known) ? true : undefined));
    expect(runs).toBe(1);
  }, 60_000);
});
