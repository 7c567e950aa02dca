import { Redis } from "ioredis";
import { redis } from "taskwright/drivers/redis";
import { expect, it, onTestFinished } from "vitest";
import { systemClock } from "../../src/clock.js";
import { startRedis } from "../support/redis/server.js";

const silent = { debug() {}, info() {}, warn() {}, error() {} };

it("a claim that waits for longer than the server has to answer in keeps its connections", async () => {
  const server = await startRedis();
  onTestFinished(() => server.remove());
  const client = new Redis(server.url);
  onTestFinished(() => client.disconnect());
  const environment = { clock: systemClock, random: Math.random, logger: silent };
  const connection = await redis({ url: server.url, protocol: "celery", timeout: "500ms" }).connect(environment);
  onTestFinished(() => connection.close());
  const terms = { worker: "w", queues: ["celery"], capacity: 1, lease: 30_000, onCancel() {} };
  const consumer = await connection.broker?.consume(terms);
  const opened = async () => /total_connections_received:(\d+)/.exec(await client.info("stats"))?.[1];

  const claim = consumer?.claim({ queues: ["celery"], max: 1, wait: 2000 });
  await expect.poll(() => client.client("LIST")).toContain("cmd=blmove");
  const before = await opened();
  expect(await claim).toEqual([]);
  expect(await opened()).toBe(before);
});
