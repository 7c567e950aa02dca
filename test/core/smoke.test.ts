import { expect, test } from "vitest";
import { memory } from "../../src/drivers/memory/index.js";
import { Taskwright } from "../../src/index.js";

test("a job runs in a worker and its result comes back", async () => {
  await using app = new Taskwright({ broker: memory() });
  const add = app.task("add", (a: number, b: number) => a + b);
  await using worker = app.worker();
  await worker.start();
  expect(add(2, 3)).toBe(5);
  expect(await add.enqueue(2, 3).result({ timeout: "2s" })).toBe(5);
});
