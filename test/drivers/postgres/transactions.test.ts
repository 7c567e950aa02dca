import pg from "pg";
import { describe, expect, it, onTestFinished } from "vitest";
import type { SqlTransaction } from "../../../src/contracts/index.js";
import { claim, consumer, contracts, job, place } from "./support.js";

async function openClient(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  onTestFinished(() => client.end());
  return client;
}

/** As an adapter makes one of an ORM's transaction. */
function adapted(client: pg.Client): SqlTransaction {
  return {
    dialect: "postgres",
    query: async (sql, parameters) => (await client.query(sql, [...parameters])).rows,
  };
}

describe.each([
  ["a client of pg", (client: pg.Client): unknown => client],
  ["an adapter", (client: pg.Client): unknown => adapted(client)],
])("a transaction of the user's, through %s", (_, given) => {
  it("wakes a worker that waits when it commits, and not before", async () => {
    const url = await place();
    const c = await contracts(url);
    const client = await openClient(url);
    const waiting = claim(await consumer(c));
    await client.query("BEGIN");
    const sent = job({ headers: { lang: "py" }, expires: { in: 60_000 } });
    await c.broker.publish([sent, job({ notBefore: { in: 60_000 } })], given(client));
    expect(await claim(await consumer(c), 1, 0)).toEqual([]);
    await client.query("COMMIT");
    expect((await waiting).map(({ id }) => id)).toEqual([sent.id]);
  });

  it("settles with the rest of it, every kind, or not at all", async () => {
    const url = await place();
    const c = await contracts(url);
    const client = await openClient(url);
    const worker = await consumer(c);
    await c.broker.publish([job(), job(), job(), job()]);
    const [a, b, d, e] = await claim(worker);
    if (!a || !b || !d || !e) throw new Error("four jobs were published");
    const history = new Uint8Array([7]);
    const outcome = { id: a.id, state: "completed", attempt: 1, body: new Uint8Array([42]) } as const;
    const settlements = [
      { kind: "complete", lease: a, outcome },
      { kind: "retry", lease: b, delay: 60_000, history },
      { kind: "dead", lease: d, reason: "failed", history },
      { kind: "release", lease: e, delay: 0 },
    ] as const;
    const settled = ["settled", "settled", "settled", "settled"];
    await client.query("BEGIN");
    expect(await worker.settle(settlements, given(client))).toEqual(settled);
    await client.query("ROLLBACK");
    expect((await c.inspector.find([a.id, b.id, d.id, e.id])).map((one) => one?.state)).toEqual(
      Array(4).fill("active"),
    );
    await client.query("BEGIN");
    expect(await worker.settle(settlements, given(client))).toEqual(settled);
    await client.query("COMMIT");
    const states = (await c.inspector.find([a.id, b.id, d.id, e.id])).map((one) => one?.state);
    expect(states).toEqual([undefined, "retrying", "dead", "waiting"]);
    expect((await c.backend.read([a.id]))[0]?.body).toEqual(Buffer.from([42]));
  });
});

describe("what is given as a transaction", () => {
  it("is refused with what to give instead", async () => {
    const url = await place();
    const { broker } = await contracts(url);
    const pool = new pg.Pool({ connectionString: url });
    onTestFinished(() => pool.end());
    const idle = await openClient(url);
    const refused: [unknown, RegExp][] = [
      [{}, /no client of pg/],
      [pool, /a pool was given/],
      [idle, /not inside one/],
      [{ dialect: "mysql", query: async () => [] }, /one of mysql/],
    ];
    // The client knows whether it is in a transaction once it has run something.
    await idle.query("SELECT 1");
    for (const [given, message] of refused) await expect(broker.publish([job()], given)).rejects.toThrow(message);
  });

  it("takes nothing of a batch that fails", async () => {
    const url = await place();
    const { broker, inspector } = await contracts(url);
    const client = await openClient(url);
    const [first, second] = [job(), job()];
    await broker.publish([second]);
    await client.query("BEGIN");
    await expect(broker.publish([first, second], client)).rejects.toThrow(/in your transaction.*duplicate key/);
    await client.query("COMMIT");
    expect(await inspector.find([first.id])).toEqual([undefined]);
  });
});
