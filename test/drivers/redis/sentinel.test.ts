import { expect, onTestFinished, test } from "vitest";
import { startRedisSentinel } from "../../support/redis/sentinel.js";
import { survivesFailover } from "./failover-support.js";

test("after the primary's end, workers and producers go on at the next by themselves, and no replicated job is lost", async () => {
  const sentinel = await startRedisSentinel();
  onTestFinished(() => sentinel.remove());
  const url = `redis+sentinel://${sentinel.addresses}/${sentinel.name}?timeout=2s`;
  const former = await sentinel.primary();
  await survivesFailover(url, async (replicated) => {
    replicated(await former.ask("WAIT 1 5000"));
    await sentinel.killPrimary();
  });
  expect(await sentinel.primary()).not.toBe(former);
});
