import { Redis } from "ioredis";
import { currentJob, type EventMap, Taskwright } from "taskwright";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { JobView } from "../../src/inspect/inspect.js";
import { buildCommandLine, Workplace } from "../cli/command-line.js";
import { nextEvent } from "../core/support.js";
import { type RedisServer, startRedis } from "../support/redis/server.js";
import { CAPTURED } from "./fixtures/messages.js";

let server: RedisServer;
let redis: Redis;
let app: Taskwright<undefined>;
let failing = true;

beforeAll(async () => {
  server = await startRedis();
  redis = new Redis(server.url);
  app = new Taskwright({ protocol: "celery", broker: server.url, worker: { queues: ["celery", "slow"] } });
  app.task("proj.refuse", { attempts: 2, backoff: 1 }, (what: string) => {
    if (failing) throw new Error(`refused: ${what}`);
    return `${what} in attempt ${currentJob().attempt}`;
  });
  await app.worker().start();
}, 60_000);

beforeEach(async () => {
  failing = true;
  await redis.del("celery.dead", "slow.dead");
});

afterAll(async () => {
  await app?.close();
  redis?.disconnect();
  await server?.remove();
});

/** Sends jobs that fail for good, one after the other. */
async function bury(...ids: string[]): Promise<void> {
  for (const id of ids) {
    const died = nextEvent(app, "job:dead");
    await app.send("proj.refuse", { id, args: [id], queue: id.startsWith("slow") ? "slow" : "celery" });
    await died;
  }
}

/** All pages: each is of one queue. */
async function dead(filter = {}, cursor?: string): Promise<JobView[]> {
  const page = await app.inspect.jobs({ state: "dead", ...filter, ...(cursor && { cursor }) });
  return page.cursor === undefined ? page.jobs : [...page.jobs, ...(await dead(filter, page.cursor))];
}

describe("dead letters in Redis", () => {
  it("are listed, the oldest first, with reason, time, attempts and arguments", async () => {
    await bury("one", "two", "slow-one");
    const before = Date.now();
    const jobs = await dead();
    expect(jobs.map(({ id, queue }) => [id, queue])).toEqual([
      ["one", "celery"],
      ["two", "celery"],
      ["slow-one", "slow"],
    ]);
    expect(jobs[0]).toMatchObject({
      state: "dead",
      reason: "failed",
      attempt: 2,
      message: { task: "proj.refuse", args: ["one"] },
      attempts: [{ attempt: 1 }, { attempt: 2, error: { message: "refused: one" } }],
    });
    expect(Math.abs(before - Number(jobs[0]?.dueAt))).toBeLessThan(60_000);
    expect((await dead({ queue: "slow" })).map(({ id }) => id)).toEqual(["slow-one"]);
  });

  it("come in pages", async () => {
    await bury("a", "b", "c");
    const first = await app.inspect.jobs({ state: "dead", limit: 2 });
    expect(first.jobs.map(({ id }) => id)).toEqual(["a", "b"]);
    const second = await app.inspect.jobs({ state: "dead", limit: 2, cursor: first.cursor ?? "" });
    expect(second.jobs.map(({ id }) => id)).toEqual(["c"]);
  });

  it("are counted by queue, also queues that only kombu knows", async () => {
    await bury("counted", "slow-counted", "slow-more");
    await app.send("proj.other", { queue: "of others" });
    await app.send("proj.other", { queue: "of others", priority: 6 });
    expect(await app.inspect.queues()).toEqual([
      { queue: "celery", paused: false, counts: { waiting: 0, dead: 1 } },
      { queue: "of others", paused: false, counts: { waiting: 2, dead: 0 } },
      { queue: "slow", paused: false, counts: { waiting: 0, dead: 2 } },
    ]);
    expect(await app.inspect.purge("of others", ["waiting"])).toBe(2);
    expect(await app.inspect.purge("slow", ["dead"])).toBe(2);
    expect(await dead()).toHaveLength(1);
  });

  it("are retried with all their attempts, and their results are new", async () => {
    await bury("again", "stays");
    await expect(app.job("again").result()).rejects.toThrow("refused: again");
    failing = false;
    expect(await app.inspect.retry(["again", "nobody"])).toEqual(["again"]);
    expect(await app.job("again").result({ timeout: "20s" })).toBe("again in attempt 1");
    expect((await dead()).map(({ id }) => id)).toEqual(["stays"]);
    expect(await app.job("stays").retry()).toBe(true);
    expect(await app.job("stays").retry()).toBe(false);
  });

  it("are discarded", async () => {
    await bury("gone", "kept");
    expect(await app.inspect.discard(["gone", "nobody"])).toEqual(["gone"]);
    expect((await dead()).map(({ id }) => id)).toEqual(["kept"]);
  });

  it("that nobody can read have an id too, under which they are found", async () => {
    const died = nextEvent(app, "job:dead") as Promise<EventMap["job:dead"][0]>;
    await redis.lpush("celery", "not json {");
    const { id } = await died;
    expect(await dead()).toMatchObject([{ id, reason: "unreadable", queue: "celery" }]);
    expect((await dead())[0]?.message).toBeUndefined();
    expect(await app.inspect.discard([id])).toEqual([id]);
  });

  it("of Python keep what they were when they are put back", async () => {
    const { raw = "" } = CAPTURED.get("no-arguments") ?? {};
    const died = nextEvent(app, "job:dead");
    await redis.lpush("celery", raw);
    const { id } = (await died) as EventMap["job:dead"][0];
    app.task("proj.echo", () => "now there");
    expect(await app.inspect.retry([id])).toEqual([id]);
    expect(await app.job(id).result({ timeout: "20s" })).toBe("now there");
  });
});

describe("taskwright dead", () => {
  let place: Workplace;

  beforeAll(async () => {
    await buildCommandLine();
    place = await Workplace.create();
  }, 120_000);

  afterAll(() => place?.remove());

  it("lists, retries and discards them, with no code at hand", async () => {
    await bury("cli-one", "cli-two");
    const at = ["--protocol", "celery", "--broker", server.url];
    expect(await place.json(["dead", ...at])).toMatchObject([{ id: "cli-one" }, { id: "cli-two" }]);
    expect(await place.json(["queues", ...at])).toMatchObject([{ queue: "celery", dead: 2 }]);
    failing = false;
    expect(await place.run(["dead", "retry", "cli-one", ...at])).toMatchObject({ code: 0 });
    expect(await app.job("cli-one").result({ timeout: "20s" })).toBe("cli-one in attempt 1");
    expect(await place.run(["dead", "discard", "cli-two", ...at])).toMatchObject({ code: 0, stdout: "1 deleted\n" });
    expect(await dead()).toEqual([]);
  });
});
