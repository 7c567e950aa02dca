import { setTimeout as delay } from "node:timers/promises";
import { Cluster } from "ioredis";
import { Taskwright } from "taskwright";
import { driverConformance } from "taskwright/conformance";
import { redis } from "taskwright/drivers/redis";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { systemClock } from "../../../src/clock.js";
import type { Driver } from "../../../src/contracts/index.js";
import { RecordingLogger } from "../../core/support.js";
import { type RedisCluster, startRedisCluster } from "../../support/redis/cluster.js";
import type { RedisServer } from "../../support/redis/server.js";
import { survivesFailover } from "./failover-support.js";
import { connect, job } from "./outage-support.js";

/** In ms: the smallest that is sure on two busy cores. */
const REAL_UNIT = 40;

let cluster: RedisCluster;
let prefixes = 0;

beforeAll(async () => {
  cluster = await startRedisCluster();
});

afterAll(() => cluster.remove());

function urlOf({ nodes }: RedisCluster, prefix: string): string {
  return `redis+cluster://${nodes.map(({ port }) => `127.0.0.1:${port}`)}?prefix=${prefix}`;
}

function appAt(broker: string | Driver): Taskwright {
  const app = new Taskwright({ broker, logger: new RecordingLogger() });
  onTestFinished(() => app.close());
  return app;
}

/** Each place is a prefix, so places are spread over the slots. */
driverConformance({
  name: "redis cluster",
  runner: { describe, test },
  capabilities: redis().capabilities,
  open: async () => ({
    driver: redis(urlOf(cluster, `case-${++prefixes}`)),
    clock: systemClock,
    advance: (ms) => delay(ms),
    unit: REAL_UNIT,
  }),
});

/** The keys that a node has. */
async function keysOf(node: RedisServer): Promise<string[]> {
  return (await node.ask("KEYS *")).split("\r\n").filter((line) => line.startsWith("{"));
}

test("places are spread over the nodes, and the keys of each are in one slot", async () => {
  const names = Array.from({ length: 12 }, (_, index) => `spread-${index}`);
  for (const prefix of names) {
    const { broker, backend } = await connect(urlOf(cluster, prefix));
    await broker.publish([job(), job({ queue: "other", priority: 5, notBefore: { in: 60_000 } })]);
    await backend.store([{ id: "x", state: "completed", attempt: 1, body: Buffer.from("x"), ttl: 60_000 }]);
  }
  const homes = new Map<string, Set<string>>();
  for (const node of cluster.nodes) {
    for (const key of await keysOf(node)) {
      const prefix = /^\{(.*?)\}:/.exec(key)?.[1] ?? "";
      const slot = await node.ask(`CLUSTER KEYSLOT ${key}`);
      if (names.includes(prefix)) homes.set(prefix, (homes.get(prefix) ?? new Set()).add(`${node.port} ${slot}`));
    }
  }
  expect([...homes.keys()].sort()).toEqual(names.sort());
  for (const places of homes.values()) expect(places.size).toBe(1);
  expect(new Set([...homes.values()].flatMap((places) => [...places].map((place) => place.split(" ")[0]))).size).toBe(
    3,
  );
});

test.each(["one", "two", "three"])("a worker and who waits for its result meet in prefix %s", async (prefix) => {
  const [producer, consumer] = [appAt(urlOf(cluster, prefix)), appAt(urlOf(cluster, prefix))];
  const add = (a: number, b: number) => a + b;
  consumer.task("add", add);
  await consumer.worker().start();
  expect(await producer.task("add", add).enqueue(2, 3).result({ timeout: "5s" })).toBe(5);
});

test.each([
  ["URLs", () => cluster.urls],
  ["ports", () => cluster.nodes.map(({ port }) => port)],
  ["hosts and ports", () => cluster.nodes.map(({ port }) => ({ host: "127.0.0.1", port }))],
])("a client of ioredis that was given %s lends its nodes and options, and stays open", async (_, nodes) => {
  const redisOptions = { keyPrefix: "mine:", stringNumbers: true };
  const client = new Cluster([...nodes()], { redisOptions, scaleReads: "slave" });
  onTestFinished(() => client.disconnect());
  const app = appAt(redis({ client, prefix: "client" }));
  const double = app.task("double", (n: number) => 2 * n);
  await app.worker().start();
  expect(await double.enqueue(4).result({ timeout: "5s" })).toBe(8);
  await app.close();
  expect(await client.ping()).toBe("PONG");
});

test("after the end of the master that has the jobs, the worker goes on at its replica, and no replicated job is lost", async () => {
  const own = await startRedisCluster({ replicas: true });
  onTestFinished(() => own.remove());
  await survivesFailover(urlOf(own, "shop"), async (replicated) => {
    const master = await own.ownerOf("{shop}:");
    replicated(await master.ask("WAIT 1 5000"));
    await master.kill("SIGKILL");
  });
});
