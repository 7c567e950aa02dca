import { Redis } from "ioredis";
import { expect, onTestFinished, test } from "vitest";
import { startRedisSentinel } from "./sentinel.js";

test("when the primary is killed the sentinels announce its replica, which has the data", async () => {
  const sentinel = await startRedisSentinel();
  onTestFinished(() => sentinel.remove());
  const [first, replica] = sentinel.nodes;
  expect(await sentinel.primary()).toBe(first);
  await first?.ask("SET a 1");
  expect(await first?.ask("WAIT 1 1000")).toBe(":1\r\n");

  expect(await sentinel.killPrimary()).toBe(first);
  if (first === undefined) throw new Error("there is no primary");
  expect(await sentinel.primaryAfter(first)).toBe(replica);
  const addresses = sentinel.addresses.map((address) => ({ host: "127.0.0.1", port: Number(address.split(":")[1]) }));
  const client = new Redis({ sentinels: addresses, name: sentinel.name });
  onTestFinished(() => client.disconnect());
  expect(await client.get("a")).toBe("1");
  await client.set("a", "2");

  await first.start();
  await sentinel.sentinels[0]?.restart();
  expect(await sentinel.primary()).toBe(replica);
});
