import { describe, expect, test } from "vitest";
import type { Client } from "../../../src/drivers/sqlite/clients/client.js";
import {
  CLAIM_SQL,
  DUE_SQL,
  LEASE_SQL,
  LOOK_SQL,
  PROMOTE_SQL,
  RARE_SQL,
  TAKE_SQL,
  UNSCHEDULE_SQL,
} from "../../../src/drivers/sqlite/statements/claiming.js";
import { HELD_SQL } from "../../../src/drivers/sqlite/statements/leases.js";
import { OUTCOMES_AFTER_SQL } from "../../../src/drivers/sqlite/statements/outcomes.js";
import { CLIENTS, connect, consume, openClient, temporaryFile } from "./support.js";

const STATEMENTS = {
  CLAIM_SQL,
  DUE_SQL,
  HELD_SQL,
  LEASE_SQL,
  LOOK_SQL,
  OUTCOMES_AFTER_SQL,
  PROMOTE_SQL,
  RARE_SQL,
  TAKE_SQL,
  UNSCHEDULE_SQL,
};

describe.each(CLIENTS)("statements of the hot path, through %s", (client) => {
  test.each(Object.entries(STATEMENTS))("%s searches, and neither scans nor sorts", async (_, sql) => {
    const path = temporaryFile();
    await connect({ path, client });
    const database = openClient(client, path);
    fill(database, 5000);
    const plan = planOf(database, sql);
    expect(plan.length).toBeGreaterThan(0);
    // The list of tokens is the one thing that is walked over: it is the parameter itself.
    const walked = plan.filter((step) => /SCAN|TEMP B-TREE/.test(step) && !/SCAN (e|CONSTANT ROW)/.test(step));
    expect(walked).toEqual([]);
  });

  test("a claim takes as long behind a million jobs as behind a thousand", { timeout: 120_000 }, async () => {
    const few = await claimTime(client, 1_000);
    const many = await claimTime(client, 1_000_000);
    // The same work but for a deeper tree and a colder cache. A scan or a sort would take a thousand times as long.
    expect(many).toBeLessThan(Math.max(20 * few, 20));
  });
});

/** As many waiting jobs in each of two queues, and as many scheduled, as SQL can make at once. */
function fill(database: Client, count: number): void {
  database.exec(`
    BEGIN IMMEDIATE;
    INSERT INTO taskwright_queues (id, name) VALUES (1, 'default'), (2, 'other');
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count})
    INSERT INTO taskwright_jobs SELECT i, CAST(printf('%016d', i) AS BLOB), 1 + i % 2, i % 10, 1000 + i, NULL, NULL, x'00' FROM n;
    INSERT INTO taskwright_ready SELECT queue, 9 - priority, due, seq, 0, 0, 0, 0 FROM taskwright_jobs;
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count})
    INSERT INTO taskwright_scheduled SELECT 10000000 + i, 1 + i % 2, 9, 9e12 + i, 0, 0, 0, 0, 0 FROM n;
    UPDATE taskwright_sequences SET value = 100000000 WHERE name = 'job';
    COMMIT;`);
}

function planOf(database: Client, sql: string): string[] {
  const parameters = new Array(Math.max(...numbers(sql))).fill(1);
  return database
    .prepare(`EXPLAIN QUERY PLAN ${sql}`)
    .all(parameters)
    .map(({ detail }) => String(detail));
}

/** The numbers of a statement's parameters. */
function numbers(sql: string): number[] {
  const numbered = [...sql.matchAll(/\?(\d+)/g)].map(([, number]) => Number(number));
  return numbered.length > 0 ? numbered : [sql.split("?").length - 1];
}

/** The least of a few claims of 10 jobs, in ms: what the claim itself needs, whatever else runs here. */
async function claimTime(client: (typeof CLIENTS)[number], backlog: number): Promise<number> {
  const path = temporaryFile();
  const connection = await connect({ path, client, synchronous: "NORMAL" });
  fill(openClient(client, path), backlog);
  const consumer = await consume(connection);
  const times: number[] = [];
  for (let round = 0; round < 20; round++) {
    const start = performance.now();
    const jobs = await consumer.claim({ queues: ["default"], max: 10, wait: 0 });
    times.push(performance.now() - start);
    expect(jobs.length).toBe(10);
  }
  return Math.min(...times);
}
