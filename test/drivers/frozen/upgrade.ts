import { Taskwright } from "taskwright";
import { expect, onTestFinished } from "vitest";
import { driverFromUrl } from "../../../src/drivers/index.js";
import { ENVIRONMENT } from "../../support/postgres/shared.js";
import { until } from "../../support/until.js";
import { frozenTasks } from "./populate.js";

/** A restored database is brought to this version, and everything in it is read, and run. */
export async function upgrade(broker: string, level: number): Promise<void> {
  const app = new Taskwright({ broker, logger: ENVIRONMENT.logger });
  onTestFinished(() => app.close());
  const driver = await driverFromUrl(broker);
  const numbers = (driver.migrations ?? []).map(({ number }) => number);
  const [report] = await app.migrate();
  expect(report?.applied.map(({ number }) => number)).toEqual(numbers.filter((number) => number > level));
  await expectToRead(app, broker);
  await expectToRun(app);
}

async function expectToRead(app: Taskwright, broker: string): Promise<void> {
  const states: Record<string, string | undefined> = {};
  for (const id of ["later", "paused", "active", "dead"]) states[id] = (await app.inspect.find(id))?.state;
  expect(states).toEqual({ later: "scheduled", paused: "waiting", active: "active", dead: "dead" });
  expect((await app.inspect.find("waiting"))?.message).toMatchObject({
    task: "note",
    options: { labels: { tenant: "b" } },
  });
  const dead = await app.inspect.find("dead");
  expect(dead).toMatchObject({ reason: "failed", message: { options: { labels: { tenant: "a" } } } });
  expect(dead?.attempts).toEqual([expect.objectContaining({ error: expect.objectContaining({ name: "TypeError" }) })]);
  expect(await app.inspect.outcome("completed")).toMatchObject({ state: "completed", value: "noted completed" });
  expect((await app.inspect.queues()).find(({ queue }) => queue === "paused")?.paused).toBe(true);
  const connection = await (await driverFromUrl(broker)).connect(ENVIRONMENT);
  onTestFinished(() => connection.close());
  expect(String((await connection.coordinator?.get("frozen"))?.value)).toBe("an entry");
  expect(await connection.coordinator?.increment("frozen", 1)).toBe(8);
  expect((await connection.backend?.readReport("reported"))?.log).toHaveLength(1);
}

async function expectToRun(app: Taskwright): Promise<void> {
  const { ran } = frozenTasks(app);
  expect(await app.inspect.retry(["dead"])).toEqual(["dead"]);
  await app.inspect.resume("paused");
  await app.worker({ queues: ["default", "paused"], lease: "1s", sweep: "100ms" }).start();
  const expected = ["active, attempt 2", "dead, attempt 1", "delayed, attempt 1", "paused, attempt 1"];
  expected.push("retrying, attempt 2", "waiting, attempt 1");
  await until("everything to run", async () => ran.length >= expected.length || undefined);
  await until("empty queues", async () => {
    const queues = await app.inspect.queues();
    return queues.every(({ counts }) => counts.waiting === 0 && counts.active === 0) || undefined;
  });
  expect([...ran].sort()).toEqual(expected);
  expect(await app.inspect.outcome("active")).toMatchObject({ state: "completed", value: "noted active" });
  expect(await app.inspect.discard(["later"])).toEqual(["later"]);
  expect(await app.inspect.queues()).toEqual([]);
}
