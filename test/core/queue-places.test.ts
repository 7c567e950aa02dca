import { join } from "node:path";
import { Taskwright } from "taskwright";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type TemporaryFolder, temporaryFolder } from "../support/temporary.js";

describe("an app with queues in several places", () => {
  let folder: TemporaryFolder;
  const apps: Taskwright<undefined>[] = [];

  beforeEach(async () => {
    folder = await temporaryFolder();
  });

  afterEach(async () => {
    for (const app of apps.splice(0)) await app.close();
    await folder.remove();
  });

  /** One process of the app: "mail" is in a place of its own. */
  function open(): Taskwright<undefined> {
    const sqlite = (name: string) => `sqlite:${join(folder.path, name)}`;
    const app = new Taskwright({
      broker: sqlite("own.db"),
      queuePlaces: { mail: { broker: sqlite("mail.db") }, bills: { broker: sqlite("mail.db") } },
      defaults: { attempts: 1 },
    });
    app.task("echo", async (text: string) => text);
    app.task("fail", (message: string) => {
      throw new TypeError(message);
    });
    apps.push(app);
    return app;
  }

  async function runAll(app: Taskwright<undefined>): Promise<void> {
    for (const queue of ["default", "mail", "bills"]) await app.worker({ queues: [queue] }).drain();
  }

  async function died(app: Taskwright<undefined>): Promise<void> {
    await app.send("fail", { args: ["own"], id: "own" });
    await app.send("fail", { args: ["mail"], id: "mail", queue: "mail" });
    await app.send("fail", { args: ["bills"], id: "bills", queue: "bills" });
    await runAll(app);
  }

  it("finds dead letters in all of them, page by page", async () => {
    await died(open());
    const { inspect } = open();
    const found: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await inspect.jobs({ state: "dead", limit: 1, ...(cursor !== undefined && { cursor }) });
      found.push(...page.jobs.map(({ id }) => id));
      cursor = page.cursor;
    } while (cursor !== undefined);
    expect(found.slice(0, 1)).toEqual(["own"]);
    expect(found.slice(1).sort()).toEqual(["bills", "mail"]);
    expect((await inspect.jobs({ state: "dead", queue: "mail" })).jobs.map(({ id }) => id)).toEqual(["mail"]);
    expect(await inspect.find("mail")).toMatchObject({ queue: "mail", reason: "failed", message: { args: ["mail"] } });
    expect((await inspect.queues()).map(({ queue }) => queue).sort()).toEqual(["bills", "default", "mail"]);
    await expect(inspect.jobs({ cursor: "1" })).rejects.toThrow('"1" is not a cursor of an earlier page');
  });

  it("passes places over that have no such jobs, so that a page is empty only where there are none", async () => {
    const app = open();
    expect(await app.inspect.jobs({ state: "waiting" })).toEqual({ jobs: [] });
    await app.send("echo", { args: ["hello"], id: "m", queue: "mail" });
    const { jobs } = await app.inspect.jobs({ state: "waiting" });
    expect(jobs.map(({ id }) => id)).toEqual(["m"]);
  });

  it("retries and discards dead letters wherever they are, each in its own place", async () => {
    await died(open());
    const { inspect } = open();
    expect((await inspect.retry(["own", "mail", "nosuch"])).sort()).toEqual(["mail", "own"]);
    expect(await inspect.discard(["bills", "nosuch"])).toEqual(["bills"]);
    expect(await inspect.purge("mail")).toBe(1);
    expect(await inspect.find("own")).toMatchObject({ state: "waiting" });
    expect(await inspect.find("mail")).toBeUndefined();
  });

  it("drains all of them, and asks all of them who they are", async () => {
    const app = open();
    for (const queue of ["default", "mail", "bills"]) await app.send("echo", { args: [queue], queue });
    await app.inspect.pause("bills");
    expect(await app.drain()).toEqual({ completed: 2, retried: 0, dead: 0, cancelled: 0 });
    await app.inspect.resume("bills");
    expect(await app.drain()).toMatchObject({ completed: 1 });
    const places = (await app.inspect.ping()).map(({ role, location }) => [role, location.split("/").at(-1)]);
    expect(places).toEqual([
      ["broker", "own.db"],
      ["broker", "mail.db"],
    ]);
  });

  it("pauses a queue where it is", async () => {
    const { inspect } = open();
    await inspect.pause("mail");
    expect(await inspect.queues()).toMatchObject([{ queue: "mail", paused: true }]);
    await inspect.resume("mail");
    expect(await inspect.queues()).toEqual([]);
  });

  it("has handles on jobs of every place, by their ids", async () => {
    const app = open();
    await app.send("echo", { args: ["hello"], id: "e1", queue: "mail" });
    await app.send("echo", { args: ["stopped"], id: "e2", queue: "mail" });
    const other = open();
    const job = other.job("e1");
    expect(await job.state()).toBe("waiting");
    const result = job.result({ timeout: "20s" });
    expect(await other.job("e2").cancel()).toBe("cancelled");
    await runAll(app);
    expect(await result).toBe("hello");
    expect(await job.state()).toBe("completed");
    expect(await other.job("e2").state()).toBe("cancelled");
    expect(await job.forget()).toBe(true);
    expect(await job.state()).toBe("unknown");
  });

  it("retries a dead job by its handle, and knows its attempts", async () => {
    await died(open());
    const job = open().job("mail");
    expect(await job.attempts()).toMatchObject([{ error: { message: "mail" } }]);
    expect(await job.retry()).toBe(true);
    expect(await job.state()).toBe("waiting");
    expect(await open().job("nosuch").retry()).toBe(false);
    expect(await open().job("nosuch").cancel()).toBe("absent");
  });

  it("follows the progress of a job in another place", async () => {
    const app = open();
    app.task("steps", async () => {
      const { currentJob } = await import("taskwright");
      await currentJob().progress(7);
      await currentJob().log("seven");
    });
    await app.send("steps", { id: "s1", queue: "mail" });
    await runAll(app);
    const job = open().job("s1");
    expect(await job.progress().last()).toBe(7);
    const seen: unknown[] = [];
    for await (const value of job.progress()) seen.push(value);
    expect(seen).toEqual([7]);
    expect(await job.logs()).toEqual(["seven"]);
  });
});
