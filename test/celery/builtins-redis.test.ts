import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type CeleryPlace, openPlace } from "./place.js";

let place: CeleryPlace;

beforeAll(async () => {
  place = await openPlace();
  const { app } = place;
  const node = { queue: "node" };
  app.task("node.add", node, (a: number, b: number) => a + b);
  app.task("node.double", node, async (n: number) => 2 * n);
  app.task("node.sum", node, (numbers: number[]) => numbers.reduce((sum, one) => sum + one, 0));
  app.task("node.fail", { ...node, attempts: 1 }, (message: string) => {
    throw new TypeError(message);
  });
  await app.worker().start();
}, 60_000);

afterAll(() => place?.close());

const get = (canvas: string): Promise<unknown> => place.run(`(${canvas}).apply_async(queue='node').get(timeout=15)`);

/** Sends one of Celery's own tasks by its name. */
const own = (name: string, rest: string): Promise<unknown> =>
  place.run(`remote('celery.${name}', ${rest}).set(queue='node').delay().get(timeout=15)`);

describe("Celery's own tasks, over ours", () => {
  it("map", async () => {
    expect(await get("xmap(n('double'), [1, 2, 3])")).toEqual([2, 4, 6]);
  });

  it("starmap", async () => {
    expect(await get("xstarmap(n('add'), [(1, 2), (3, 4)])")).toEqual([3, 7]);
  });

  it("chunks", async () => {
    expect(await get("chunks(n('add'), zip(range(5), range(5)), 2)")).toEqual([[0, 2], [4, 6], [8]]);
  });

  it("a map in the middle of a chain, and chunks at its end", async () => {
    expect(await get("chain(n('add', 1, 2), xmap(n('double'), [1, 2]).set(queue='node'), n('sum'))")).toBe(6);
    const chunked = "chunks(n('add'), [(1, 1), (2, 2), (3, 3)], 2).set(queue='node')";
    // Whose results are nobody's but the group's: Celery gives the chain's last id to none of them.
    const sent = `chain(n('add', 1, 2), ${chunked}).apply_async().parent.get(timeout=15)`;
    expect(await place.run(sent)).toBe(3);
  });

  it("fails as the task does, or where there is no such task", async () => {
    await expect(get("xmap(n('fail'), ['no'])")).rejects.toMatchObject({ type: "TypeError", args: ["no"] });
    await expect(get("xmap(n('nowhere'), [1])")).rejects.toMatchObject({ type: "NotRegistered" });
  });

  it("accumulate", async () => {
    expect(await own("accumulate", "1, 2, 3")).toEqual([1, 2, 3]);
    expect(await own("accumulate", "1, 2, 3, index=1")).toBe(2);
  });

  it("backend_cleanup", async () => {
    expect(await own("backend_cleanup", "")).toBeNull();
  });

  it("group, chunks and chord by their names send what they are made of", async () => {
    const members = "[n('add', 1, 1).set(task_id='g-1'), n('add', 2, 2).set(task_id='g-2')]";
    expect(await own("group", `tasks=${members}, result=[['g', None], []], group_id='g', partial_args=[]`)).toEqual([
      ["g", null],
      [],
    ]);
    expect(await place.app.job("g-2").result({ timeout: "10s" })).toBe(4);
    await own("chord", "header=[n('add', 3, 3), n('add', 4, 4)], body=n('sum').set(task_id='c-body')");
    expect(await place.app.job("c-body").result({ timeout: "10s" })).toBe(14);
    expect(await own("chunks", "task=n('add'), it=[[1, 1]], n=1")).toBeNull();
    await expect(own("chunks", "task=n('add'), it=[[1, 1]], n=0")).rejects.toThrow(/chunks have no size/);
  });

  it("chain is no task, as in Celery", async () => {
    await expect(own("chain", "")).rejects.toMatchObject({ type: "NotImplementedError", module: "builtins" });
  });

  it("are not among those that are registered", async () => {
    expect(await place.python.eval("app.control.inspect(timeout=2).registered()")).toMatchObject(
      expect.not.objectContaining({ "celery.map": expect.anything() }),
    );
    expect([...place.app.tasks.keys()].filter((name) => name.startsWith("celery."))).toEqual([]);
  });
});

describe("chord_unlock, of producers whose backend cannot count", () => {
  const unlock = (ids: string[], body: string, rest = "interval=0.1") => {
    const tuples = ids.map((id) => `[['${id}', None], None]`).join(", ");
    return place.run(
      `remote('celery.chord_unlock', 'g', ${body}, result=[${tuples}], ${rest}).set(queue='node').delay().id`,
    );
  };
  const send = (id: string, a: number) => place.app.send("node.add", { id, args: [a, a] });

  it("waits until all parts are there, and sends the body with them, in order", async () => {
    await unlock(["u-1", "u-2"], "n('double').set(task_id='never', queue='never')", "interval=0.1, max_retries=0");
    await unlock(["u-1", "u-2"], "n('sum').set(task_id='u-body')");
    await send("u-2", 2);
    await send("u-1", 1);
    expect(await place.app.job("u-body").result({ timeout: "10s" })).toBe(6);
  });

  it("fails the body when a part failed", async () => {
    await place.app.send("node.fail", { id: "f-1", args: ["part"] });
    await unlock(["f-1"], "n('sum').set(task_id='f-body')");
    await expect(place.app.job("f-body").result({ timeout: "10s" })).rejects.toMatchObject({
      name: "ChordError",
      message: expect.stringMatching(/Dependency f-1 raised TypeError/),
    });
  });

  it("gives up after max_retries", async () => {
    const id = String(await unlock(["nobody"], "n('sum')", "interval=0.05, max_retries=1"));
    await expect(place.app.job(id).result({ timeout: "10s" })).rejects.toThrow(/was not there in time/);
  });
});
