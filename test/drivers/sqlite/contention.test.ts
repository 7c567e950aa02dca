import { describe, expect, test } from "vitest";
import { BrokerError } from "../../../src/job/errors.js";
import { CLIENTS, connect, consume, FakeClock, job, openClient, temporaryFile } from "./support.js";

describe.each(CLIENTS)("while another process holds the write lock, through %s", (client) => {
  async function locked(busyTimeout = 1000) {
    const path = temporaryFile();
    const clock = new FakeClock();
    const connection = await connect({ path, client, busyTimeout }, clock);
    const other = openClient(client, path);
    return { path, clock, connection, other };
  }

  test("writes wait without blocking, and are made in the order of the calls", async () => {
    const { clock, connection, other } = await locked();
    other.exec("BEGIN IMMEDIATE");
    const published = ["first", "second", "third"].map((id) => connection.broker.publish([job({ id })]));
    await clock.advance(500);
    expect(await connection.inspector.queues()).toEqual([]);
    other.exec("COMMIT");
    await clock.advance(100);
    expect(await Promise.all(published)).toEqual([["created"], ["created"], ["created"]]);
    const claimed = await (await consume(connection)).claim({ queues: ["default"], max: 3, wait: 0 });
    expect(claimed.map(({ id }) => id)).toEqual(["first", "second", "third"]);
  });

  test("writes fail after busyTimeout, with an error that may be retried and nothing written", async () => {
    const { clock, connection, other } = await locked();
    other.exec("BEGIN IMMEDIATE");
    const error = connection.broker.publish([job()]).catch((thrown: unknown) => thrown);
    await clock.advance(1100);
    expect(await error).toBeInstanceOf(BrokerError);
    expect(await error).toMatchObject({ code: "broker", retryable: true, outcome: "none" });
    expect(String(await error)).toMatch(/other processes held the write lock for 1\d{3} ms/);
    other.exec("COMMIT");
    expect(await connection.inspector.queues()).toEqual([]);
    expect(await connection.broker.publish([job()])).toEqual(["created"]);
  });

  test("reads, and claims that find nothing, do not wait", async () => {
    const { connection, other } = await locked();
    other.exec("BEGIN IMMEDIATE");
    expect(await (await consume(connection)).claim({ queues: ["default"], max: 1, wait: 0 })).toEqual([]);
    expect(await connection.backend.read(["x"])).toEqual([undefined]);
    other.exec("COMMIT");
  });

  test("connecting waits too", async () => {
    const { path, clock, other } = await locked();
    other.exec("UPDATE taskwright_schema SET version = 1; BEGIN EXCLUSIVE");
    const connecting = connect({ path, client }, clock);
    await clock.advance(50);
    other.exec("COMMIT");
    await clock.advance(100);
    await (await connecting).ping();
  });

  test("closing ends the waits", async () => {
    const { clock, connection, other } = await locked();
    other.exec("BEGIN IMMEDIATE");
    const error = connection.broker.publish([job()]).catch((thrown: unknown) => thrown);
    await clock.advance(10);
    other.exec("COMMIT");
    await connection.close();
    await clock.advance(100);
    expect(String(await error)).toMatch(/the connection is closed/);
  });
});
