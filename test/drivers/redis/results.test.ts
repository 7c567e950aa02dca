import type { Connection, OutcomeRecord } from "taskwright/contracts";
import { expect, it } from "vitest";
import type { RedisServer } from "../../support/redis/server.js";
import { connect, keysOf, NOW, serve } from "./outage-support.js";

const DAY = 86_400_000;

/** Ids of the form that is generated, made in the same 256 ms unless `moment` says otherwise. */
function idOf(n: number, moment = "0192abcd-ef"): string {
  return `${moment}00-7000-8000-${String(n).padStart(12, "0")}`;
}

const IDS = Array.from({ length: 20 }, (_, n) => idOf(n));

function outcome(id: string, fields: Partial<OutcomeRecord> = {}): OutcomeRecord {
  return { id, state: "completed", attempt: 1, ttl: DAY, body: Buffer.from(`of ${id}`), ...fields };
}

/** Publishes jobs, claims them and completes them in one call, each with its outcome. */
async function complete({ broker }: Required<Connection>, outcomes: readonly OutcomeRecord[]): Promise<void> {
  const consumer = await broker.consume({
    worker: "w",
    queues: ["default"],
    capacity: 100,
    lease: 30_000,
    onCancel: () => {},
  });
  const body = Buffer.from("body");
  await broker.publish(outcomes.map(({ id }) => ({ id, queue: "default", priority: 0, task: "task", body })));
  const claimed = await consumer.claim({ ...NOW, max: outcomes.length });
  const statuses = await consumer.settle(
    claimed.map((lease, at) => ({ kind: "complete", lease, outcome: outcomes[at] as OutcomeRecord })),
  );
  expect(statuses).toEqual(outcomes.map(() => "settled"));
  await consumer.close();
}

async function outcomeKeys(server: RedisServer): Promise<string[]> {
  return (await keysOf(server)).filter((key) => /:outcomes?:/.test(key)).map((key) => key.replace("{taskwright}:", ""));
}

async function read({ backend }: Required<Connection>, ids: readonly string[]): Promise<(string | undefined)[]> {
  return (await backend.read(ids)).map((one) => (one === undefined ? undefined : Buffer.from(one.body).toString()));
}

const bodies = (ids: readonly string[]): string[] => ids.map((id) => `of ${id}`);

it("outcomes of jobs that were made together are one key, which lives as long as they", async () => {
  const server = await serve();
  const place = await connect(server.url);
  await complete(
    place,
    IDS.map((id) => outcome(id)),
  );
  expect(await outcomeKeys(server)).toEqual(["outcomes:0192abcdef"]);
  expect(await read(place, [...IDS, idOf(99)])).toEqual([...bodies(IDS), undefined]);
  const life = Number((await server.ask("PTTL {taskwright}:outcomes:0192abcdef")).slice(1));
  expect(life).toBeGreaterThan(DAY);
  expect(life).toBeLessThanOrEqual(DAY + 60_000);
});

it("an outcome that is large, is kept for another time or for ever, or has an id of the caller's has a key of its own", async () => {
  const server = await serve();
  const place = await connect(server.url);
  const { ttl: _, ...forEver } = outcome(idOf(33));
  const others = [
    outcome(idOf(30), { body: Buffer.alloc(2000, "x") }),
    outcome(idOf(31), { ttl: 10_000 }),
    outcome(idOf(32), { ttl: 10 * DAY }),
    forEver,
    outcome("invoice-7"),
    outcome("of-15-letters-x"),
  ];
  await complete(place, [...IDS.map((id) => outcome(id)), ...others]);
  const own = others.map(({ id }) => `outcome:${id}`);
  expect(await outcomeKeys(server)).toEqual([...own, "outcomes:0192abcdef"].sort());
  expect(
    await read(
      place,
      others.map(({ id }) => id),
    ),
  ).toEqual(others.map(({ body }) => Buffer.from(body).toString()));
  expect(Number((await server.ask(`PTTL {taskwright}:outcome:${idOf(31)}`)).slice(1))).toBeLessThanOrEqual(10_000);
  expect(await server.ask(`PTTL {taskwright}:outcome:${idOf(33)}`)).toBe(":-1\r\n");
});

it("an outcome that comes when its shelf has lived for long is not lost early, nor prolongs the others", async () => {
  const server = await serve();
  const place = await connect(server.url);
  await complete(
    place,
    IDS.map((id) => outcome(id)),
  );
  await server.ask(`PEXPIRE {taskwright}:outcomes:0192abcdef ${DAY / 2}`);
  const late = [40, 41, 42, 43, 44].map((n) => idOf(n));
  await complete(
    place,
    late.map((id) => outcome(id)),
  );
  expect(await outcomeKeys(server)).toEqual([...late.map((id) => `outcome:${id}`), "outcomes:0192abcdef"]);
  expect(await read(place, [...IDS, ...late])).toEqual(bodies([...IDS, ...late]));
  expect(Number((await server.ask("PTTL {taskwright}:outcomes:0192abcdef")).slice(1))).toBeLessThanOrEqual(DAY / 2);
});

it("a later attempt's outcome replaces an earlier one wherever that lies, and an earlier one none", async () => {
  const server = await serve();
  const place = await connect(server.url);
  const { backend } = place;
  await backend.store(IDS.map((id) => outcome(id, { attempt: 2 })));
  const [first = "", second = "", third = ""] = IDS;
  await backend.store([
    outcome(first, { attempt: 1, body: Buffer.from("too late") }),
    outcome(second, { attempt: 3, body: Buffer.alloc(2000, "x") }),
    outcome(third, { attempt: 3, body: Buffer.from("third") }),
    outcome(third, { attempt: 4, body: Buffer.from("fourth") }),
  ]);
  expect(await read(place, [first, second, third])).toEqual([`of ${first}`, "x".repeat(2000), "fourth"]);
  expect(await backend.forget(IDS)).toBe(IDS.length);
  expect(await read(place, IDS)).toEqual(IDS.map(() => undefined));
  expect(await outcomeKeys(server)).toEqual([]);
});

it("a job whose outcome is there is a duplicate, until that is forgotten", async () => {
  const server = await serve();
  const place = await connect(server.url);
  const { backend, broker } = place;
  await complete(
    place,
    IDS.map((id) => outcome(id)),
  );
  const [known = ""] = IDS;
  const again = { id: known, queue: "default", priority: 0, task: "task", body: Buffer.from("body"), unique: true };
  expect(await broker.publish([again])).toEqual(["duplicate"]);
  await backend.forget([known]);
  expect(await broker.publish([again])).toEqual(["created"]);
});
