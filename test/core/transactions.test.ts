import { expect, test } from "vitest";
import { inTurn } from "../../src/transactions.js";
import { deferred } from "./support.js";

test("what uses one asynchronous transaction does so one after the other, also after a failure", async () => {
  const transaction = { query() {} };
  const log: string[] = [];
  const first = deferred();
  const failing = inTurn(transaction, async () => {
    log.push("first");
    await first.promise;
    throw new Error("no");
  });
  const second = inTurn(transaction, async () => log.push("second"));
  const other = inTurn({ query() {} }, async () => log.push("other"));
  await other;
  expect(log).toEqual(["first", "other"]);
  first.resolve();
  await expect(failing).rejects.toThrow("no");
  await second;
  expect(log).toEqual(["first", "other", "second"]);
});

test("what uses a synchronous one does so at once", () => {
  const transaction = { exec() {} };
  const log: string[] = [];
  void inTurn(transaction, async () => log.push("first"));
  void inTurn(transaction, async () => log.push("second"));
  expect(log).toEqual(["first", "second"]);
});
