import { currentJob, Taskwright } from "taskwright";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { RecordingLogger, recordEvents } from "../core/support.js";
import { CLIENTS } from "./clients.js";
import type { Database, Orm } from "./orms.js";
import { openPlace } from "./places.js";

/** Ends the connection that asks, as an operator or a fail-over would. */
const CUT: Readonly<Record<Database, string>> = {
  postgres: "SELECT pg_terminate_backend(pg_backend_pid())",
  mysql: "KILL CONNECTION_ID()",
};

describe.each(["postgres", "mysql"] as const)("completion in transactions on %s", (database) => {
  let client: Orm<object>;
  let app: Taskwright;

  beforeAll(async () => {
    const { broker, url } = await openPlace(database);
    client = await CLIENTS[database](url);
    app = new Taskwright({ broker, logger: new RecordingLogger(), defaults: { backoff: 1 } });
    await client.transaction(async ({ run }) => {
      await run("DROP TABLE IF EXISTS done");
      await run("CREATE TABLE done (id int, attempt int)");
    });
  }, 60_000);

  afterAll(async () => {
    await app?.close();
    await client?.close();
  });

  test("of many jobs at once leaves one effect of each, however their attempts end", async () => {
    const ends = recordEvents(app, "job:completed", "job:retrying", "job:lost");
    const effect = app.task("effect", (id: number) =>
      client.transaction(async ({ tx, run }) => {
        const { attempt } = currentJob();
        await run(`INSERT INTO done VALUES (${id}, ${attempt})`);
        await currentJob().completeIn(tx(), id);
        if (id % 3 === 0 && attempt === 1) throw new Error("undone");
      }),
    );
    const ids = Array.from({ length: 60 }, (_, index) => index);
    const jobs = await effect.enqueueMany(ids.map((id) => [id]));
    const worker = app.worker({ concurrency: 30 });
    await worker.start();
    expect(await Promise.all(jobs.map((job) => job.result({ timeout: "20s" })))).toEqual(ids);
    await worker.stop();
    expect(worker.stats).toMatchObject({ completed: 60, retried: 20, lost: 0, dead: 0 });
    expect(ends).toHaveLength(80);
    expect(await rows("SELECT id FROM done")).toHaveLength(60);
    expect(new Set(await rows("SELECT id FROM done")).size).toBe(60);
  });

  test("goes with the connection of the transaction", async () => {
    const cut = app.task("cut", (id: number) =>
      client.transaction(async ({ tx, run }) => {
        const { attempt } = currentJob();
        await run(`INSERT INTO done VALUES (${id}, ${attempt})`);
        await currentJob().completeIn(tx(), attempt);
        if (attempt === 1) await run(CUT[database]);
      }),
    );
    const job = await cut.enqueue(1000);
    const worker = app.worker();
    await worker.start();
    expect(await job.result({ timeout: "20s" })).toBe(2);
    await worker.stop();
    expect(await rows("SELECT id FROM done WHERE id = 1000")).toEqual(['"id":1000']);
  });

  /** Each row as text. Both clients answer rows as objects, in shapes of their own around them. */
  async function rows(sql: string): Promise<string[]> {
    let found: string[] = [];
    await client.transaction(async ({ run }) => {
      found = JSON.stringify(await run(sql)).match(/"id":\d+/g) ?? [];
    });
    return found;
  }
});
