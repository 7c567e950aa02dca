import pg from "pg";
import { postgres } from "taskwright/drivers/postgres";
import { describe, expect, it, onTestFinished } from "vitest";
import { driverFromUrl } from "../../../src/drivers/index.js";
import { ConfigError } from "../../../src/job/errors.js";
import { ENVIRONMENT } from "../../support/postgres/shared.js";
import { claim, consumer, contracts, job, place, QUEUE } from "./support.js";

describe("the options of postgres", () => {
  it("come from URLs of both schemes, and the location shows no password", async () => {
    const driver = await driverFromUrl(
      "postgresql://me:s3cret@db.example:5433/shop?schema=jobs&poolSize=3&sslmode=require",
    );
    expect(driver.name).toBe("postgres");
    expect(driver.location).toBe("postgresql://me:***@db.example:5433/shop?schema=jobs&poolSize=3&sslmode=require");
    expect(postgres({ url: "postgres://h/d", maxBytes: 5 }).maxBytes).toBe(5);
    expect(postgres("postgres://h/d?listen=false").capabilities.push).toBe(false);
  });

  it.each([
    ["postgres://h/d?shema=x", /did you mean "schema"/],
    ["postgres://h/d?schema=a-b", /schema cannot be "a-b"/],
    ["postgres://h/d?poolSize=0", /poolSize cannot be 0/],
    ["postgres://h/d?listen=no", /listen cannot be "no"/],
    ["postgres://h/d?sslmode=requir", /sslmode cannot be "requir": did you mean "require"/],
    ["postgres:h", /is not a postgres URL/],
    ["postgres://me:pa/ss@h/d", /write "\/" as %2F/],
  ])("%s is refused", (url, message) => {
    expect(() => postgres(url)).toThrow(ConfigError);
    expect(() => postgres(url)).toThrow(message);
    expect(() => postgres(url)).not.toThrow(/pa\/ss/);
  });

  it("refuse what contradicts each other", () => {
    expect(() => postgres({ pool: {} as never })).toThrow(/no pool of pg/);
    expect(() => postgres({ pool: {} as never, url: "postgres://h/d" })).toThrow(/a pool or url, not both/);
  });

  it("take a ready pool, which stays open", async () => {
    const url = await place();
    const pool = new pg.Pool({ connectionString: url, max: 5 });
    onTestFinished(() => pool.end());
    const schema = new URL(url).searchParams.get("schema") ?? "";
    const connected = await postgres({ pool, schema }).connect(ENVIRONMENT);
    await connected.broker?.publish([job()]);
    const worker = await connected.broker?.consume({
      worker: "w",
      queues: [QUEUE],
      capacity: 1,
      lease: 1000,
      onCancel() {},
    });
    expect(worker && (await claim(worker))).toHaveLength(1);
    await connected.close();
    expect((await pool.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
    expect(pool.idleCount).toBe(pool.totalCount);
  });
});

describe("postgres without LISTEN", () => {
  const polling = (url: string) => `${url}&listen=false&pollInterval=20ms`;

  it("finds the jobs of others and requests to cancel by looking", async () => {
    const url = await place();
    const mine = await contracts(polling(url));
    const theirs = await contracts(url);
    expect(mine.notifier).toBeUndefined();
    let stopped: (id: string) => void = () => {};
    const told = new Promise<string>((resolve) => {
      stopped = resolve;
    });
    const worker = await mine.broker.consume({
      worker: "w",
      queues: [QUEUE],
      capacity: 1,
      lease: 60_000,
      onCancel: ([id = ""]) => stopped(id),
    });
    const waiting = claim(worker);
    const sent = job();
    await theirs.broker.publish([sent]);
    expect((await waiting).map(({ id }) => id)).toEqual([sent.id]);
    expect(await theirs.broker.cancel([{ id: sent.id }])).toEqual(["requested"]);
    expect(await told).toBe(sent.id);
  });

  it("needs nothing of a connection: each statement may meet another one", async () => {
    // As PgBouncer does in transaction mode: a fresh session for every statement.
    const url = await place();
    const schema = new URL(url).searchParams.get("schema") ?? "";
    const pool = new pg.Pool({ connectionString: url, max: 5, maxUses: 1 });
    onTestFinished(() => pool.end());
    const connected = await postgres({ pool, schema, listen: false }).connect(ENVIRONMENT);
    onTestFinished(() => connected.close());
    const { broker } = connected;
    if (!broker) throw new Error("there is no broker");
    const worker = await consumer({ broker });
    await broker.publish([job(), job()]);
    const jobs = await claim(worker);
    expect(await worker.extend(jobs)).toEqual(["held", "held"]);
    expect(await worker.settle(jobs.map((lease) => ({ kind: "complete", lease })))).toEqual(["settled", "settled"]);
  });
});
