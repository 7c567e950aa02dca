import { Taskwright } from "taskwright";
import { afterAll, beforeAll, expect, it, onTestFinished, vi } from "vitest";
import { rabbitmqPlace } from "../support/rabbitmq/shared.js";
import { type RedisServer, startRedis } from "../support/redis/server.js";
import { PythonClient } from "./python.js";

vi.setConfig({ testTimeout: 60_000 });

let redis: RedisServer;

beforeAll(async () => {
  redis = await startRedis();
}, 60_000);

afterAll(() => redis?.remove());

const SUM = "remote('node.add', 1, 2).set(queue='node').apply_async";

// Whose declaration comes second, and is not the same, is refused.
it.each(["Python", "Node"])("quorum queues that %s declares first are shared", async (first) => {
  const { url, remove } = await rabbitmqPlace();
  onTestFinished(remove);
  const backend = `${redis.url}/0`;
  // No Python worker: before Celery 5.5 they cannot take from quorum queues.
  const python = await PythonClient.open({ broker: url, backend, env: { QUORUM: "celery,node" } });
  onTestFinished(() => python.close());
  await using app = new Taskwright({
    protocol: "celery",
    broker: `${url}?queueType=quorum`,
    backend,
    worker: { queues: ["node"] },
  });
  app.task("node.add", { queue: "node" }, (a: number, b: number) => a + b);

  const pythons = async () => {
    await python.eval("add.apply_async((1, 2)).id");
    await python.eval(`${SUM}(task_id='sum').id`);
  };
  if (first === "Python") await pythons();
  await app.send("proj.add", { args: [1, 2] });
  await app.worker().start();
  if (first === "Node") await pythons();
  expect(await app.job("sum").result({ timeout: "20s" })).toBe(3);
  expect(await python.eval(`${SUM}(countdown=0.5).get(timeout=20)`)).toBe(3);
});
