import { expect, test } from "vitest";
import type { Consumer } from "../../../src/contracts/index.js";
import { until } from "../../support/until.js";
import { appAt, complete, connect, consume, job, place, rawChannel, SOON } from "./support.js";

/** Claims and settles until so many jobs were there, and answers them with the times at which they came. */
async function arrivals(consumer: Consumer, queue: string, count: number) {
  const arrived: { id: string; priority: number; at: number }[] = [];
  await until(`${count} jobs`, async () => {
    const claimed = await consumer.claim({ ...SOON, queues: [queue] });
    const at = Date.now();
    arrived.push(...claimed.map(({ id, priority }) => ({ id, priority, at })));
    await consumer.settle(claimed.map(complete));
    return arrived.length >= count ? true : undefined;
  });
  return arrived;
}

test.each(["classic", "quorum"] as const)(
  "a short delay behind long ones is on time in %s queues, and so is each of many",
  async (queueType) => {
    const { broker } = await connect({ url: await place(), queueType });
    const consumer = await consume(broker);
    const since = Date.now();
    const delays = [3_600_000, 2000, 60_000, 1100, 86_400_000, 700, 333, 60, 3_600_000];
    await broker.publish(delays.map((ms) => job({ id: `${ms}-${Math.random()}`, notBefore: { in: ms } })));
    const arrived = await arrivals(consumer, "default", 5);
    expect(arrived.map(({ id }) => Number(id.split("-")[0]))).toEqual([60, 333, 700, 1100, 2000]);
    for (const { id, at } of arrived) {
      const late = at - since - Number(id.split("-")[0]);
      expect(late).toBeGreaterThanOrEqual(-1);
      // Two busy cores; a delay that stood behind an hour would be an hour late.
      expect(late).toBeLessThan(5000);
    }
  },
);

test("a delayed job comes to its own queue with its own priority, whatever the queue's name, and waits in no worker", async () => {
  const url = await place();
  const { broker } = await connect(url);
  const queues = ["mail.#.eu", "mail.x.eu", "ünïcode *"];
  await broker.publish(
    queues.flatMap((queue) =>
      [0, 9, 5].map((priority) => job({ id: `${queue}/${priority}`, queue, priority, notBefore: { in: 500 } })),
    ),
  );
  const channel = await rawChannel(url);
  // Before it is due it is in no queue of jobs at all, and nobody has to be there for it to come.
  for (const queue of queues) {
    await until("its jobs", async () => ((await channel.checkQueue(queue)).messageCount === 3 ? true : undefined));
    const arrived = await arrivals(await consume(broker, [queue]), queue, 3);
    expect(arrived.map(({ id }) => id)).toEqual([9, 5, 0].map((priority) => `${queue}/${priority}`));
    expect(arrived.map(({ priority }) => priority)).toEqual([9, 5, 0]);
  }
});

test("a retry waits in the server and not in its worker, and keeps queue and priority", async () => {
  const url = await place();
  const app = appAt(url);
  let runs = 0;
  const shaky = app.task("shaky", { queue: "shaky", attempts: 3, backoff: { type: "fixed", delay: "1s" } }, () => {
    if (++runs === 1) throw new Error("not yet");
    return "done";
  });
  const first = app.worker({ queues: ["shaky"] });
  await first.start();
  const retrying = new Promise((resolve) => app.on("job:retrying", resolve));
  const job = await shaky.with({ priority: 7 }).enqueue();
  await retrying;
  await first.stop();
  const channel = await rawChannel(url);
  await until("its return", async () => ((await channel.checkQueue("shaky")).messageCount === 1 ? true : undefined));
  const message = await channel.get("shaky");
  if (message === false) throw new Error("there is no message");
  expect(message.properties).toMatchObject({ messageId: job.id, priority: 7, headers: { "taskwright-attempts": 1 } });
  channel.nack(message, false, true);
  await app.worker({ queues: ["shaky"] }).start();
  // The look above counted as a loss, and so as the second attempt.
  expect(await job.result({ timeout: "10s" })).toBe("done");
  expect(runs).toBe(2);
});
