import { deflateSync } from "node:zlib";
import { Redis } from "ioredis";
import { type EventMap, Taskwright } from "taskwright";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RedisServer, startRedis } from "../support/redis/server.js";
import { CAPTURED } from "./fixtures/messages.js";

type Dead = EventMap["job:dead"][0];

let server: RedisServer;
let redis: Redis;
let app: Taskwright<undefined>;
let dead: Dead[] = [];

beforeAll(async () => {
  server = await startRedis();
  redis = new Redis(server.url);
  app = new Taskwright({ protocol: "celery", broker: server.url, worker: { queues: ["celery"], concurrency: 10 } });
  app.task("proj.add", (a: number, b: number) => a + b);
  app.on("job:dead", (event) => dead.push(event));
  await app.worker().start();
});

afterAll(async () => {
  await app?.close();
  redis?.disconnect();
  await server?.remove();
});

const rawOf = (name: string): string => CAPTURED.get(name)?.raw ?? "";
const changed = (change: object): string => JSON.stringify({ ...JSON.parse(rawOf("plain")), ...change });

/** What becomes of one element of a list: its event, and the message among the dead. */
async function park(raw: string): Promise<{ event: Dead | undefined; message: Record<string, unknown> }> {
  dead = [];
  await redis.del("celery.dead");
  await redis.lpush("celery", raw);
  // What comes behind it runs: nothing loops, and nothing stands in the way.
  await expect(app.send("proj.add", { args: [1, 2] }).result({ timeout: "20s" })).resolves.toBe(3);
  await expect.poll(() => dead.length).toBe(1);
  const parked = await redis.lrange("celery.dead", 0, -1);
  expect(parked).toHaveLength(1);
  expect(await redis.hlen("unacked")).toBe(0);
  return { event: dead[0], message: JSON.parse(parked[0] ?? "null") as Record<string, unknown> };
}

describe("a message that cannot be run is parked once, with its reason", () => {
  it.each([
    ["text that is no JSON", "not json {"],
    ["bytes that are no text", Buffer.from([0xff, 0xfe, 0]).toString("latin1")],
    ["a list", "[]"],
    ["an empty object", "{}"],
    ["a body that is no text", changed({ body: 5 })],
    ["a body that is no base64 of JSON", changed({ body: "AAAA" })],
    ["headers that are no table", changed({ headers: [1] })],
    ["properties that are no table", changed({ properties: "x" })],
    ["an eta that is no time", changed({ headers: { task: "proj.add", id: "i", eta: "tomorrow" } })],
    ["another content type", changed({ "content-type": "text/plain" })],
    ["pickle", rawOf("pickle")],
    ["yaml", rawOf("yaml")],
  ])("%s", async (_, raw) => {
    const { event, message } = await park(raw);
    expect(event).toMatchObject({ reason: "unreadable" });
    expect(message.headers).toMatchObject({ "taskwright-reason": "unreadable" });
  });

  it("keeps what it was, byte for byte", async () => {
    const { message } = await park("not json {");
    expect(Buffer.from(String(message.body), "base64").toString()).toBe("not json {");
    const { message: pickle } = await park(rawOf("pickle"));
    expect(pickle.body).toBe((JSON.parse(rawOf("pickle")) as { body: string }).body);
  });

  it("says why not, for pickle", async () => {
    const { event } = await park(rawOf("pickle"));
    expect(String(event?.error)).toMatch(/pickle, which is never decoded because it can run code/);
  });

  it("a body that unpacks to more than maxBytes, and says so", async () => {
    const body = deflateSync(Buffer.from(JSON.stringify([["x".repeat(2e6)], {}, null]))).toString("base64");
    const { event, message } = await park(
      changed({ body, headers: { task: "proj.add", id: "bomb", compression: "application/x-gzip" } }),
    );
    expect(event).toMatchObject({ id: "bomb", reason: "unreadable" });
    expect(String(event?.error)).toMatch(/unpacks to more than 1,048,576 bytes/);
    expect(message.body).toBe(body);
    // Whoever takes more says so.
    await using wider = new Taskwright({ protocol: "celery", broker: `${server.url}?maxBytes=3000000` });
    wider.task("proj.add", (text: string) => text.length);
    await wider.worker({ queues: ["wide"] }).start();
    await redis.del("celery-task-meta-bomb");
    await redis.lmove("celery.dead", "wide", "RIGHT", "LEFT");
    expect(await wider.job("bomb").result({ timeout: "20s" })).toBe(2e6);
  });

  it("a task that is unknown here, whose callers learn it", async () => {
    const { event } = await park(rawOf("no-arguments"));
    expect(event).toMatchObject({ reason: "unknown-task", task: "proj.echo" });
    const meta = JSON.parse((await redis.get(`celery-task-meta-${event?.id}`)) ?? "null") as object;
    expect(meta).toMatchObject({
      status: "FAILURE",
      result: { exc_type: "NotRegistered", exc_module: "celery.exceptions" },
    });
  });

  it("can be moved back to its queue, as any message", async () => {
    await park(rawOf("no-arguments"));
    app.task("proj.echo", () => "now there");
    const { id } = dead[0] as Dead;
    await redis.del(`celery-task-meta-${id}`);
    await redis.lmove("celery.dead", "celery", "RIGHT", "LEFT");
    expect(await app.job(id).result({ timeout: "20s" })).toBe("now there");
  });
});
