import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { systemClock } from "../../src/clock.js";
import type { Connection, Consumer } from "../../src/contracts/index.js";
import { driverFromUrl } from "../../src/drivers/index.js";
import { CLIENTS } from "./clients.js";
import type { Orm } from "./orms.js";
import { openPlace } from "./places.js";

const SILENT = { debug() {}, info() {}, warn() {}, error() {} };

describe.each(["postgres", "mysql"] as const)("a transaction that has completed a job, on %s", (database) => {
  let connection: Connection;
  let client: Orm<object>;
  beforeAll(async () => {
    const { broker, url } = await openPlace(database);
    connection = await (await driverFromUrl(broker)).connect({
      clock: systemClock,
      random: Math.random,
      logger: SILENT,
    });
    client = await CLIENTS[database](url);
  });
  afterAll(async () => {
    await client?.close();
    await connection?.close();
  });

  test("holds up no other job of the same claim", async () => {
    const { broker } = connection;
    const job = (id: string) => ({ id, queue: "q", priority: 0, body: Buffer.from("b"), task: "t" });
    await broker?.publish([job("a"), job("b"), job("c")]);
    const consumer = (await broker?.consume({
      worker: "w",
      queues: ["q"],
      capacity: 10,
      lease: 30_000,
      onCancel() {},
    })) as Consumer;
    const [held, other, third] = await consumer.claim({ queues: ["q"], max: 3, wait: 1000 });
    if (!held || !other || !third) throw new Error("claimed too few");
    await client.transaction(async ({ tx }) => {
      expect(await consumer.settle([{ kind: "complete", lease: held }], tx())).toEqual(["settled"]);
      const during = Promise.all([consumer.extend([third]), consumer.settle([{ kind: "complete", lease: other }])]);
      const late = new Promise((resolve) => setTimeout(resolve, 3000, "held up"));
      expect(await Promise.race([during, late])).toEqual([["held"], ["settled"]]);
    });
    expect(await consumer.extend([held, third])).toEqual(["lost", "held"]);
    await consumer.close();
  });
});
