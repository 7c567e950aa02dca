import { Taskwright, TaskwrightError } from "taskwright";
import { expect, onTestFinished, test } from "vitest";
import { RecordingLogger } from "../../core/support.js";
import { startRedisSentinel } from "../../support/redis/sentinel.js";
import { until } from "../../support/until.js";

function appAt(broker: string): Taskwright {
  const app = new Taskwright({ broker, logger: new RecordingLogger() });
  onTestFinished(() => app.close());
  return app;
}

test("after the primary's end, workers and producers go on at the next by themselves, and no replicated job is lost", async () => {
  const sentinel = await startRedisSentinel();
  onTestFinished(() => sentinel.remove());
  const url = `redis+sentinel://${sentinel.addresses}/${sentinel.name}?timeout=2s`;
  const [producer, consumer] = [appAt(url), appAt(url)];
  const ran = new Set<number>();
  const note = (n: number) => {
    ran.add(n);
    return n;
  };
  const here = producer.task("note", note);
  consumer.task("note", note);
  const worker = consumer.worker();
  await worker.start();
  expect(await here.enqueue(0).result({ timeout: "5s" })).toBe(0);
  const later = producer.task("later", { queue: "later" }, note);
  for (let n = 1; n <= 50; n++) await later.enqueue(n);
  const former = await sentinel.primary();
  expect(await former.ask("WAIT 1 5000")).toBe(":1\r\n");
  await sentinel.killPrimary();
  const errors: unknown[] = [];
  // The same id makes the retry safe after an answer that was lost.
  const afterwards = await until("a job is taken", () =>
    here
      .with({ id: "afterwards" })
      .enqueue(51)
      .catch((error: unknown) => {
        errors.push(error);
        throw error;
      }),
  );
  for (const error of errors) expect(error).toBeInstanceOf(TaskwrightError);
  expect(await afterwards.result({ timeout: "10s" })).toBe(51);
  expect(await sentinel.primary()).not.toBe(former);
  consumer.task("later", { queue: "later" }, note);
  const second = consumer.worker({ queues: ["later"] });
  await second.start();
  await until("all have run", async () => (ran.size === 52 ? true : undefined));
});
