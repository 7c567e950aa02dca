import { currentJob, SchemaError, Taskwright } from "taskwright";
import { expect, onTestFinished } from "vitest";
import { ENVIRONMENT } from "../../support/postgres/shared.js";

/** So many jobs before a newer version migrates, while it does, and after that. */
const EACH = 100;

/**
 * Workers and producers of this version are at work while a newer one adds to the tables: every job ends as it should. Who
 * connects from then on is told to upgrade.
 */
export async function meetNewer(broker: string, migrateFurther: () => Promise<void>): Promise<void> {
  const app = new Taskwright({ broker, logger: ENVIRONMENT.logger, defaults: { backoff: 1, attempts: 2 } });
  onTestFinished(() => app.close());
  const work = app.task("work", (n: number) => {
    if (n % 10 === 1 && currentJob().attempt === 1) throw new Error("not at first");
    if (n % 10 === 2) throw new Error("never");
    return n;
  });
  const worker = app.worker();
  await worker.start();
  const enqueue = (from: number) => work.enqueueMany(Array.from({ length: EACH }, (_, at) => [from + at]));
  const before = await enqueue(0);
  const migrating = migrateFurther();
  const during = await enqueue(EACH);
  await migrating;
  const after = await enqueue(2 * EACH);

  const ended = await Promise.allSettled([...before, ...during, ...after].map((job) => job.result({ timeout: "20s" })));
  expect(ended.map((end) => (end.status === "fulfilled" ? end.value : "dead"))).toEqual(
    Array.from({ length: 3 * EACH }, (_, n) => (n % 10 === 2 ? "dead" : n)),
  );
  await worker.stop();
  expect(worker.stats).toMatchObject({ completed: 270, retried: 60, dead: 30, lost: 0 });
  const [queue, ...others] = await app.inspect.queues();
  expect(others).toEqual([]);
  expect(queue?.counts).toEqual({ waiting: 0, scheduled: 0, active: 0, retrying: 0, dead: 30 });

  const late = new Taskwright({ broker, logger: ENVIRONMENT.logger });
  onTestFinished(() => late.close());
  await expect(late.connect()).rejects.toThrow(SchemaError);
  await expect(late.connect()).rejects.toThrow(/migration 99 \(extra\).*does not know: upgrade taskwright here/);
}
