import { Cluster } from "ioredis";
import { expect, onTestFinished, test } from "vitest";
import { type RedisClusterOptions, startRedisCluster } from "./cluster.js";

async function start(options: RedisClusterOptions = {}) {
  const cluster = await startRedisCluster(options);
  onTestFinished(() => cluster.remove());
  return cluster;
}

test("a cluster of three masters takes keys of all of them, and refers to the owner", async () => {
  const cluster = await start();
  expect(cluster.urls).toEqual(cluster.nodes.map(({ port }) => `redis://127.0.0.1:${port}`));
  const client = new Cluster([...cluster.urls]);
  onTestFinished(() => client.disconnect());
  const keys = Array.from({ length: 30 }, (_, index) => `key-${index}`);
  for (const key of keys) await client.set(key, key);
  const owners = await Promise.all(keys.map((key) => cluster.ownerOf(key)));
  expect(new Set(owners)).toEqual(new Set(cluster.nodes));
  const [key = ""] = keys;
  const stranger = cluster.nodes.find((node) => node !== owners[0]);
  expect(await owners[0]?.ask(`GET ${key}`)).toContain(key);
  await expect(stranger?.ask(`GET ${key}`)).rejects.toThrow(`127.0.0.1:${owners[0]?.port}`);
});

test("a replica takes over from a killed master, and the master comes back as its replica", async () => {
  const cluster = await start({ replicas: true, config: ["appendonly yes"] });
  const master = await cluster.ownerOf("a");
  await master.ask("SET a 1");
  expect(await master.ask("WAIT 1 1000")).toBe(":1\r\n");
  await master.kill("SIGKILL");
  const successor = await cluster.ownerOf("a");
  expect(cluster.nodes.indexOf(successor)).toBe(cluster.nodes.indexOf(master) + 3);
  await cluster.ready();
  expect(await successor.ask("GET a")).toBe("$1\r\n1\r\n");
  await master.start();
  await cluster.ready();
  expect(await master.ask("INFO replication")).toMatch(/role:slave.*master_link_status:up/s);
});
