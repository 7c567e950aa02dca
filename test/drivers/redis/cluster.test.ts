import { setTimeout as delay } from "node:timers/promises";
import { Cluster } from "ioredis";
import { Taskwright, TaskwrightError } from "taskwright";
import { driverConformance } from "taskwright/conformance";
import { redis } from "taskwright/drivers/redis";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { systemClock } from "../../../src/clock.js";
import type { Driver } from "../../../src/contracts/index.js";
import { RecordingLogger } from "../../core/support.js";
import { type RedisCluster, startRedisCluster } from "../../support/redis/cluster.js";
import type { RedisServer } from "../../support/redis/server.js";
import { until } from "../../support/until.js";
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
  const [producer, consumer] = [appAt(urlOf(own, "shop")), appAt(urlOf(own, "shop"))];
  const ran = new Set<number>();
  const note = (n: number) => {
    ran.add(n);
    return n;
  };
  const here = producer.task("note", note);
  consumer.task("note", note);
  await consumer.worker().start();
  expect(await here.enqueue(0).result({ timeout: "5s" })).toBe(0);
  const later = producer.task("later", { queue: "later" }, note);
  for (let n = 1; n <= 50; n++) await later.enqueue(n);
  const master = await own.ownerOf("{shop}:");
  expect(await master.ask("WAIT 1 5000")).toBe(":1\r\n");
  await master.kill("SIGKILL");
  const errors: unknown[] = [];
  // The same id makes the retry safe after an answer that was lost.
  const enqueue = () => here.with({ id: "afterwards" }).enqueue(51);
  const afterwards = await until("a job is taken", () =>
    enqueue().catch((error: unknown) => {
      errors.push(error);
      throw error;
    }),
  );
  for (const error of errors) expect(error).toBeInstanceOf(TaskwrightError);
  expect(await afterwards.result({ timeout: "10s" })).toBe(51);
  consumer.task("later", { queue: "later" }, note);
  await consumer.worker({ queues: ["later"] }).start();
  await until("all have run", async () => (ran.size === 52 ? true : undefined));
});
