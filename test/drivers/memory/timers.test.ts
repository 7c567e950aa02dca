import { memory } from "taskwright/drivers/memory";
import { FakeClock } from "taskwright/testing";
import { expect, test } from "vitest";
import { connect, consume, job, QUEUE } from "./support.js";

test("10,000 delayed jobs set no timer while nobody waits, and one while somebody does", async () => {
  const clock = new FakeClock();
  const connection = await connect(memory(), clock);
  const delayed = Array.from({ length: 10_000 }, (_, index) => job(`${index}`, { notBefore: { in: 1000 + index } }));
  await connection.broker.publish(delayed);
  expect(clock.pending).toBe(0);
  const consumer = await consume(connection);
  const claim = consumer.claim({ queues: [QUEUE], max: 1, wait: 60_000 });
  await clock.advance(0);
  expect(clock.pending).toBe(2); // the end of the wait, and the next due job
  await clock.advance(1000);
  expect((await claim).map(({ id }) => id)).toEqual(["0"]);
  expect(clock.pending).toBe(0);
});

test("the timer follows the next due job", async () => {
  const clock = new FakeClock();
  const connection = await connect(memory(), clock);
  const consumer = await consume(connection);
  await connection.broker.publish([job("later", { notBefore: { in: 5000 } })]);
  const claim = consumer.claim({ queues: [QUEUE], max: 1, wait: 60_000 });
  await clock.advance(0);
  await connection.broker.publish([job("sooner", { notBefore: { in: 1000 } })]);
  expect(clock.pending).toBe(2);
  await clock.advance(1000);
  expect((await claim).map(({ id }) => id)).toEqual(["sooner"]);
});

test("closing leaves no timer behind", async () => {
  const clock = new FakeClock();
  const connection = await connect(memory(), clock);
  const consumer = await consume(connection);
  await connection.broker.publish([job("later", { notBefore: { in: 5000 } })]);
  const claim = consumer.claim({ queues: [QUEUE], max: 1, wait: 60_000 });
  await clock.advance(0);
  await connection.close();
  expect(await claim).toEqual([]);
  expect(clock.pending).toBe(0);
});
