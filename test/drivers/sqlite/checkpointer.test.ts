import { statSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { Checkpointer, hasWalResetBug } from "../../../src/drivers/sqlite/checkpointer.js";
import { CLIENTS, complete, connect, consume, job, openClient, temporaryFile } from "./support.js";

const MEGABYTE = 1024 * 1024;

test.each([
  ["3.7.0", true],
  ["3.44.5", true],
  ["3.44.6", false],
  ["3.45.1", true],
  ["3.50.6", true],
  ["3.50.7", false],
  ["3.51.2", true],
  ["3.51.3", false],
  ["3.53.4", false],
  ["4.0.0", false],
])("SQLite %s has the WAL-reset bug: %s", (version, expected) => {
  expect(hasWalResetBug(version)).toBe(expected);
});

describe.each(CLIENTS)("the log, through %s", (client) => {
  test("stays short however much is written, and is in the file after close", async () => {
    const path = temporaryFile();
    const connection = await connect({ path, client, synchronous: "NORMAL" });
    const consumer = await consume(connection);
    let longest = 0;
    for (let round = 0; round < 30; round++) {
      await connection.broker.publish(Array.from({ length: 20 }, () => job({ body: Buffer.alloc(50_000) })));
      const jobs = await consumer.claim({ queues: ["default"], max: 20, wait: 0 });
      await consumer.settle(jobs.map((lease) => complete(lease)));
      longest = Math.max(longest, statSync(`${path}-wal`).size);
    }
    // 30 MB were written; a log is copied when it reaches 4 MB, and may have grown by one batch before.
    expect(longest).toBeGreaterThan(2 * MEGABYTE);
    expect(longest).toBeLessThan(10 * MEGABYTE);
  });

  test("is copied by the checkpointer, under the write lock, and then begins anew", () => {
    const path = temporaryFile();
    const own = openClient(client, path);
    own.exec("PRAGMA journal_mode = WAL; CREATE TABLE t (x)");
    const checkpointer = new Checkpointer(own, path);
    own.exec(`INSERT INTO t VALUES (zeroblob(${5 * MEGABYTE}))`);
    const before = statSync(path).size;
    checkpointer.afterCommit();
    expect(statSync(path).size).toBeGreaterThan(before + 5 * MEGABYTE - 1);
    own.exec("INSERT INTO t VALUES (1)");
    expect(statSync(`${path}-wal`).size).toBeLessThanOrEqual(4 * MEGABYTE);
    checkpointer.close();
  });

  test("is left alone while another connection writes", () => {
    const path = temporaryFile();
    const own = openClient(client, path);
    own.exec("PRAGMA journal_mode = WAL; PRAGMA busy_timeout = 0; CREATE TABLE t (x)");
    const checkpointer = new Checkpointer(own, path);
    own.exec(`INSERT INTO t VALUES (zeroblob(${5 * MEGABYTE}))`);
    const other = openClient(client, path);
    other.exec("BEGIN IMMEDIATE");
    const before = statSync(path).size;
    checkpointer.checkpoint();
    expect(statSync(path).size).toBe(before);
    other.exec("COMMIT");
    checkpointer.checkpoint();
    expect(statSync(path).size).toBeGreaterThan(before);
    checkpointer.close();
  });
});
