import { currentJob, Taskwright, type Worker } from "taskwright";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { RecordingLogger, recordEvents } from "../core/support.js";
import { until } from "../support/until.js";
import { CLIENTS } from "./clients.js";
import { type Database, type Inside, ORMS, type Orm } from "./orms.js";
import { openPlace } from "./places.js";

type Open = (url: string) => Promise<Orm<object>>;
type Kind = readonly [name: string, opened: Readonly<Record<Database, Open>>];

const KINDS: readonly Kind[] = [["the driver's client", CLIENTS], ...Object.entries(ORMS)];

class Undone extends Error {}

describe.each(["postgres", "mysql"] as const)("jobs in transactions on %s", (database) => {
  describe.each(KINDS)("of %s", (_name, opened) => {
    let orm: Orm<object>;
    let app: Taskwright;
    let worker: Worker;

    beforeAll(async () => {
      const { broker, url } = await openPlace(database);
      orm = await opened[database](url);
      app = new Taskwright({ broker, logger: new RecordingLogger(), defaults: { backoff: 1 } });
      app.task("echo", (value: unknown) => value);
      await app.connect();
      worker = app.worker();
      await worker.start();
      await orm.transaction(async ({ run }) => {
        await run("DROP TABLE IF EXISTS effects");
        await run("CREATE TABLE effects (id int)");
      });
    }, 60_000);

    afterAll(async () => {
      await app?.close();
      await orm?.close();
    });

    const echo = (inside: Inside<object>) => app.remoteTask<[unknown], unknown>("echo").with({ tx: inside.tx() });

    test("are not there before the commit, and wake a waiting worker at it", async () => {
      const early = recordEvents(app, "job:started");
      const committed = await inside(async (one) => {
        const single = echo(one).enqueue("a");
        const many = echo(one).enqueueMany([["b"], ["c"]]);
        const jobs = [await single, ...(await many)];
        expect(await app.inspect.find(jobs[0]?.id ?? "")).toBeUndefined();
        expect(early).toEqual([]);
        return jobs;
      });
      const since = performance.now();
      const results = await Promise.all(committed.map((job) => job.result({ timeout: "10s" })));
      expect(results).toEqual(["a", "b", "c"]);
      // A claim that nobody wakes looks again after 5 s.
      expect(performance.now() - since).toBeLessThan(2500);
    });

    test("are gone after a rollback", async () => {
      let id = "";
      const undone = orm.transaction(async (one) => {
        id = (await echo(one).enqueue("never")).id;
        throw new Undone();
      });
      await expect(undone).rejects.toThrow(Undone);
      const started = recordEvents(app, "job:started");
      const job = await app.send("echo", { args: ["always"] });
      expect(await job.result({ timeout: "10s" })).toBe("always");
      expect(await app.inspect.find(id)).toBeUndefined();
      expect(started.map(({ event }) => (event as { id: string }).id)).toEqual([job.id]);
    });

    test("are duplicates where somebody else has taken their id since the transaction began", async () => {
      const id = `taken-${database}`;
      const status = await inside(async (one) => {
        await one.run("SELECT * FROM effects");
        await app.send("echo", { args: ["first"], id });
        return (await echo(one).with({ id }).enqueue("second")).id;
      });
      expect(status).toBe(id);
      expect(await (await app.job(id)).result({ timeout: "10s" })).toBe("first");
    });

    test("are completed in them, or tried again", async () => {
      const ends: string[] = [];
      for (const name of ["job:completed", "job:retrying"] as const) {
        app.on(name, ({ task }: { readonly task: string }) => void (task === "pay" && ends.push(name)));
      }
      const pay = app.task("pay", (first: number) =>
        orm.transaction(async ({ tx, run }) => {
          const { attempt } = currentJob();
          await run(`INSERT INTO effects (id) VALUES (${first + attempt})`);
          await currentJob().completeIn(tx(), `paid by attempt ${attempt}`);
          if (attempt === 1) throw new Undone();
        }),
      );
      const job = await pay.enqueue(70);
      expect(await job.result({ timeout: "10s" })).toBe("paid by attempt 2");
      // The result comes with the commit, and the events when the worker has seen how the attempts ended, in any order.
      await until("the ends", async () => ends[1]);
      expect(ends.sort()).toEqual(["job:completed", "job:retrying"]);
      expect(await inside(({ run }) => Promise.resolve(run("SELECT id FROM effects")))).toSatisfy(hasOnly(72));
    });

    /** Runs in a transaction, and answers what `work` answers. */
    async function inside<T>(work: (inside: Inside<object>) => Promise<T>): Promise<T> {
      let answer: { value: T } | undefined;
      await orm.transaction(async (one) => {
        answer = { value: await work(one) };
      });
      return (answer as { value: T }).value;
    }
  });
});

/** Each client has a shape of its own for rows; all of them show one id. */
function hasOnly(id: number): (answer: unknown) => boolean {
  return (answer) => {
    const rows = JSON.stringify(answer).match(/"id":\d+/g) ?? [];
    return new Set(rows).size === 1 && rows[0] === `"id":${id}`;
  };
}
