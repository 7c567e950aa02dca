import pg from "pg";
import { describe, expect, it, onTestFinished } from "vitest";
import { Database } from "../../../src/drivers/postgres/database.js";
import { Heard, Hints } from "../../../src/drivers/postgres/hints.js";
import { Search } from "../../../src/drivers/postgres/search.js";
import { RecordingLogger } from "../../core/support.js";
import { ENVIRONMENT } from "../../support/postgres/shared.js";
import { claim, consumer, contracts, job, place, QUEUE } from "./support.js";

/** A place with its contracts, and what looks where its queues begin. */
async function open() {
  const url = await place();
  const schema = new URL(url).searchParams.get("schema") ?? "";
  const pool = new pg.Pool({ connectionString: url });
  onTestFinished(() => pool.end());
  const hints = new Hints();
  const database = new Database(pool, { location: "here", schema, timeout: 10_000 }, ENVIRONMENT);
  const { broker } = await contracts(url);
  /** As a claim with this hint sees the queue. */
  const seen = async () => {
    const { rows } = await pool.query(
      `SELECT coalesce(cardinality(seqs::bigint[]), 0) AS jobs FROM ${schema}.claim($1, $2, 100, 60000, 'h', 'w')`,
      [[QUEUE], [hints.of(QUEUE)]],
    );
    return Number(rows[0]?.jobs);
  };
  const searchOver = (small?: number) => new Search(database, hints, new RecordingLogger(), small);
  return { broker, hints, search: searchOver(0), searchOver, seen };
}

describe("where a queue begins", () => {
  it("is found in front of the first job that nobody holds, in each rank", async () => {
    const { broker, hints, search, seen } = await open();
    await broker.publish([job(), job({ priority: 9 }), job(), job({ notBefore: { in: 60_000 } })]);
    const held = await claim(await consumer({ broker }), 1);
    expect(held).toHaveLength(1);
    await search.start([QUEUE]);
    expect(hints.places(QUEUE).map(({ rank }) => rank)).toEqual(Array.from({ length: 10 }, (_, rank) => rank));
    expect(await seen()).toBe(2);
  });

  it("is where there are no jobs the present, so that those that come are seen, and what was heard meanwhile counts", async () => {
    const { broker, hints, search, seen } = await open();
    await claim(await consumer({ broker }), 1, 0);
    const searching = search.start([QUEUE]);
    hints.lower(QUEUE, 1);
    await searching;
    expect(new Set(hints.places(QUEUE).map(({ due }) => due))).toEqual(new Set([1]));
    await broker.publish([job(), job({ priority: 3 })]);
    expect(await seen()).toBe(2);
  });

  it("is not looked for where a claim without a hint is cheap", async () => {
    const { broker, hints, searchOver } = await open();
    await claim(await consumer({ broker }), 1, 0);
    await searchOver().start([QUEUE]);
    expect(hints.of(QUEUE)).toBeNull();
  });

  it("is unknown while nothing was claimed since the server began, and is not looked for twice at once", async () => {
    const { broker, hints, search } = await open();
    await broker.publish([job()]);
    await Promise.all([search.start([QUEUE]), search.start([QUEUE])]);
    expect(hints.of(QUEUE)).toBeNull();
    await claim(await consumer({ broker }), 1);
    await Promise.all([search.start([QUEUE]), search.start([QUEUE])]);
    expect(hints.of(QUEUE)).not.toBeNull();
  });
});

it("jobs behind a hint, of which nobody told, are found beside the claims", async () => {
  const { broker, hints, search, seen } = await open();
  await claim(await consumer({ broker }), 1, 0);
  await broker.publish([job(), job({ priority: 3 })]);
  await search.start([QUEUE]);
  // As if all of it had been taken.
  const [token = ""] = hints.of(QUEUE)?.slice(1).split(",") ?? [];
  hints.set(
    QUEUE,
    [token, ...Array.from({ length: 10 }, () => [String(Date.now() + 60_000), "0"]).flat()],
    new Heard(),
  );
  expect(await seen()).toBe(0);
  await search.lookBehind([QUEUE]);
  expect(await seen()).toBe(2);
});

it("what is told while the answer of a claim is on its way is not forgotten with it", async () => {
  const { broker, hints, search, seen } = await open();
  await claim(await consumer({ broker }), 1, 0);
  await search.start([QUEUE]);
  const [token = ""] = hints.of(QUEUE)?.slice(1).split(",") ?? [];
  const answer = [token, ...Array.from({ length: 10 }, () => [String(Date.now() + 60_000), "0"]).flat()];
  await broker.publish([job(), job({ priority: 3 })]);
  await hints.whileHearing(async (heard) => {
    hints.lower(QUEUE, 1);
    hints.set(QUEUE, answer, heard);
  });
  expect(await seen()).toBe(2);
});
