import { expect, onTestFinished, test } from "vitest";
import type { ClaimedJob } from "../../../src/contracts/index.js";
import { beginOnMysql } from "../../support/mysql/shared.js";
import { connect, connection, consume, job, NOW, type Open, place, prefixOf } from "./support.js";

/** Ten seconds, as whole slices of 2^20 microseconds. */
const SLICES = 10;

/** A place where time can pass. */
async function aging() {
  const open = await place();
  const own = await connection(open.url);
  const prefix = prefixOf(open.url);
  return {
    ...open,
    /** What is there came ten seconds earlier. */
    async age(): Promise<void> {
      await own.query(`UPDATE ${prefix}jobs SET due = due - (${SLICES} << 20)`);
      await own.query(`UPDATE ${prefix}line SET at = at - (${SLICES} << 20), slice = slice - ${SLICES}`);
      await own.query(`UPDATE ${prefix}slices SET slice = slice - ${SLICES} ORDER BY slice`);
    },
    /** By the whole server, in the order of an index. */
    async rowsRead(): Promise<number> {
      const [rows] = await own.query("SHOW GLOBAL STATUS LIKE 'Handler_read_next'");
      return Number((rows as { Value: string }[])[0]?.Value);
    },
    async marks(): Promise<number> {
      const [rows] = await own.query(`SELECT COUNT(*) AS marks FROM ${prefix}slices`);
      return Number((rows as { marks: number }[])[0]?.marks);
    },
  };
}

async function begin(url: string) {
  const transaction = await beginOnMysql(url);
  let open = true;
  const end = async (ending: "commit" | "rollback"): Promise<void> => {
    if (open) await transaction[ending]();
    open = false;
  };
  onTestFinished(() => end("rollback"));
  return { handle: transaction.handle, commit: () => end("commit") };
}

async function claimAll({ broker }: Pick<Open, "broker">): Promise<ClaimedJob[]> {
  return (await consume({ broker })).claim(NOW);
}

test("a slice whose jobs were all claimed is not looked at any more", async () => {
  const { broker, age, marks } = await aging();
  await broker.publish([job(), job({ priority: 5 }), job({ notBefore: { in: 1 } })]);
  await age();
  expect(await marks()).toBe(3);
  expect(await claimAll({ broker })).toHaveLength(3);
  expect(await claimAll({ broker })).toEqual([]);
  expect(await marks()).toBe(0);
});

test("a claim reads what it takes of a slice, however many jobs are in it", async () => {
  const { broker, rowsRead } = await aging();
  await broker.publish(Array.from({ length: 1000 }, () => job()));
  const consumer = await consume({ broker });
  const before = await rowsRead();
  expect(await consumer.claim({ ...NOW, max: 10 })).toHaveLength(10);
  expect((await rowsRead()) - before).toBeLessThan(200);
});

test("what comes back to a slice that was left is found by everybody", async () => {
  const { broker, url, age, marks } = await aging();
  const jobs = [job(), job()];
  await broker.publish(jobs);
  await age();
  const consumer = await consume({ broker });
  const claimed = await consumer.claim(NOW);
  expect(await claimAll({ broker })).toEqual([]);
  expect(await marks()).toBe(0);
  const newer = job();
  await broker.publish([newer]);
  await consumer.settle(claimed.map((lease) => ({ kind: "release", lease, delay: 0 })));
  const found = await claimAll(await connect(url));
  expect(found.map(({ id }) => id)).toEqual([...jobs, newer].map(({ id }) => id));
});

test("the jobs of a transaction that commits late are found, although their slice was left", async () => {
  const { broker, url, age, marks } = await aging();
  const late = await begin(url);
  const one = job();
  await broker.publish([one], late.handle);
  const other = job();
  await broker.publish([other]);
  expect((await claimAll({ broker })).map(({ id }) => id)).toEqual([other.id]);
  await late.commit();
  await age();
  expect((await claimAll({ broker })).map(({ id }) => id)).toEqual([one.id]);
  expect(await claimAll({ broker })).toEqual([]);
  expect(await marks()).toBe(0);
});

test("transactions that enqueue do not wait for each other, nor anybody for them", async () => {
  const { broker, url } = await aging();
  const [one, other] = [await begin(url), await begin(url)];
  for (const { handle } of [one, other, one, other]) {
    await broker.publish([job(), job({ priority: 3 }), job({ notBefore: { in: 60_000 } })], handle);
  }
  await broker.publish([job(), job({ priority: 3 }), job({ notBefore: { in: 60_000 } })]);
  expect(await claimAll({ broker })).toHaveLength(2);
  await one.commit();
  expect(await claimAll({ broker })).toHaveLength(4);
  await other.commit();
  expect(await claimAll({ broker })).toHaveLength(4);
});

test("jobs are claimed in their order across more slices than are read at once", async () => {
  const { broker, age } = await aging();
  const jobs = [];
  for (let at = 0; at < 70; at++) {
    const one = job({ notBefore: { at: Date.now() + at - 100_000 } });
    jobs.unshift(one);
    await broker.publish([one]);
    if (at < 69) await age();
  }
  const claimed = [];
  for (let some = await claimAll({ broker }); some.length > 0; some = await claimAll({ broker })) claimed.push(...some);
  expect(claimed).toHaveLength(70);
  expect(claimed.map(({ id }) => id)).toEqual(jobs.map(({ id }) => id).toReversed());
});

test("jobs behind more empty slices than are read at once are found by one claim", async () => {
  const { broker, inspector, age } = await aging();
  const jobs = [];
  for (let at = 0; at < 70; at++) {
    const one = job();
    jobs.push(one);
    await broker.publish([one]);
    if (at < 69) await age();
  }
  const last = jobs.at(-1);
  await inspector.discard(jobs.slice(0, -1).map(({ id }) => id));
  expect((await claimAll({ broker })).map(({ id }) => id)).toEqual([last?.id]);
});
