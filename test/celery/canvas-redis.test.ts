import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type CeleryPlace, openPlace } from "./place.js";

let place: CeleryPlace;

beforeAll(async () => {
  place = await openPlace();
  const { app } = place;
  const node = { queue: "node" };
  app.task("node.add", node, (a: number, b: number) => a + b);
  app.task("node.sum", node, (numbers: number[]) => numbers.reduce((sum, one) => sum + one, 0));
  app.task("node.fail", { ...node, attempts: 1 }, (message: string) => {
    throw new Error(message);
  });
  app.task("node.note", node, async (...args: unknown[]) => {
    notes.push(args);
  });
  await app.worker().start();
}, 60_000);

afterAll(() => place?.close());

const notes: unknown[][] = [];

/** The result of a canvas, and whether there is one at all. */
async function get(canvas: string): Promise<unknown> {
  return place.run(`(${canvas}).apply_async().get(timeout=15)`);
}

/** What a canvas fails with, as Python shows it. Waiting with `get` alone raises whatever failed first in its parents. */
async function failure(canvas: string): Promise<unknown> {
  return place.run(`(${canvas}).apply_async().get(timeout=15, propagate=False)`);
}

describe("a chain", () => {
  it("of Node's tasks", async () => {
    expect(await get("chain(n('add', 1, 2), n('add', 3), n('add', 4))")).toBe(10);
  });

  it("that goes from Node to Python and back", async () => {
    expect(await get("chain(n('add', 1, 2), add.s(3), n('add', 4), add.s(5))")).toBe(15);
  });

  it("with immutable steps", async () => {
    expect(await get("chain(n('add', 1, 2), n('add', 30, 4).set(immutable=True), add.si(1, 1), n('add', 5))")).toBe(7);
  });

  it("fails as a whole when a step in Node fails", async () => {
    await expect(get("chain(n('add', 1, 2), n('fail', 'step').set(immutable=True), add.s(1))")).rejects.toMatchObject({
      type: "Error",
      args: ["step"],
    });
  });

  it("in a chain", async () => {
    expect(await get("chain(n('add', 1, 2), chain(n('add', 3), chain(add.s(4), n('add', 5))), n('add', 6))")).toBe(21);
  });

  it("whose results can be walked by their parents", async () => {
    const walk = "[(r := chain(n('add', 1, 2), add.s(3)).apply_async()).get(timeout=15), r.parent.get(timeout=15)]";
    expect(await place.run(walk)).toEqual([6, 3]);
  });
});

describe("a group", () => {
  it("of Node's and Python's tasks", async () => {
    expect(await get("group(n('add', 1, 1), add.s(2, 2), n('add', 3, 3))")).toEqual([2, 4, 6]);
  });

  it("at the end of a chain from Node", async () => {
    expect(await get("chain(n('add', 1, 2), group(n('add', 10), add.s(20)))")).toEqual([13, 23]);
  });

  it("of one, at the end of a chain, ends as in Python", async () => {
    const pythons = await get("chain(add.s(1, 2), group(add.s(10)))");
    expect(await get("chain(n('add', 1, 2), group(n('add', 10)))")).toEqual(pythons);
  });

  it("counts those that succeeded, and can be saved and looked up again", async () => {
    const looked = (call: string) =>
      place.run(
        `(lambda r: (r.save(), r.join(timeout=15, propagate=False), ${call}))(group(n('add', 1, 1), n('fail', 'x'), add.s(2, 2)).apply_async())[2]`,
      );
    expect(await looked("[r.completed_count(), r.failed(), r.ready()]")).toEqual([2, true, true]);
    const restored = "[str(one) for one in GroupResult.restore(r.id).join(timeout=15, propagate=False)]";
    expect(await looked(restored)).toEqual(["2", "x", "4"]);
  });

  it("tells its errback of each that fails", async () => {
    const errback = "n('note', 'of a group').set(immutable=True)";
    await place.run(`group(n('fail', 'a'), n('fail', 'b'), n('add', 1, 1)).on_error(${errback}).apply_async().id`);
    const told = () => notes.filter(([note]) => note === "of a group");
    await expect.poll(told).toHaveLength(2);
  });
});

describe("a chord", () => {
  it("with header and body in Node", async () => {
    expect(await get("chord([n('add', 1, 1), n('add', 2, 2), n('add', 3, 3)], n('sum'))")).toBe(12);
  });

  it("with its header in Node and its body in Python", async () => {
    expect(await get("chord([n('add', 1, 1), n('add', 2, 2)], tsum.s())")).toBe(6);
  });

  it("with its header in Python and its body in Node", async () => {
    expect(await get("chord([add.s(1, 1), add.s(2, 2)], n('sum'))")).toBe(6);
  });

  it("with its header on both sides", async () => {
    expect(await get("chord([add.s(i, i) if i % 2 else n('add', i, i) for i in range(10)], n('sum'))")).toBe(90);
  });

  it("keeps the order of its header", async () => {
    const order = "chord([add.s(i, 0) if i % 2 else n('add', i, 0) for i in range(10)], echo.s())";
    expect(await get(order)).toEqual({ args: [[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]], kwargs: {} });
  });

  it("in a chain that Node continues", async () => {
    expect(await get("chain(n('add', 1, 2), group(n('add', 3), add.s(4)), tsum.s(), n('add', 100))")).toBe(113);
  });

  it("with a chain in its header and one as its body", async () => {
    expect(
      await get("chord([chain(n('add', 1, 1), add.s(1)), n('add', 2, 2)], chain(n('sum'), add.s(1), n('add', 1)))"),
    ).toBe(9);
  });

  it("in a chord", async () => {
    expect(await get("chord([chord([n('add', 1, 1), add.s(2, 2)], n('sum')), n('add', 3, 3)], n('sum'))")).toBe(12);
  });

  it("fails with ChordError when a member in Node fails, and calls the errback of its body", async () => {
    const failing =
      "chord([n('add', 1, 1), n('fail', 'member')], n('sum').on_error(n('note', 'chord').set(immutable=True)))";
    expect(await failure(failing)).toMatch(/^ChordError\(.*raised Error\("member"\)/);
    await expect.poll(() => notes).toContainEqual(["chord"]);
  });

  it("calls its errback for a member as well, with task_allow_error_cb_on_chord_header", async () => {
    const failing = "with_errback([n('fail', 'one'), n('add', 1, 1)], n('sum'), n('note', 'errback'))";
    expect(await failure(failing)).toMatch(/^ChordError/);
    // Each gets the id of what failed: the member, and the body.
    const told = () => notes.filter((note) => note.includes("errback"));
    await expect.poll(() => new Set(told().map(([id]) => id)).size).toBe(2);
    expect(told()).toEqual([
      [expect.any(String), "errback"],
      [expect.any(String), "errback"],
    ]);
  });

  it("runs the other members when one has failed, and not its body", async () => {
    const failing =
      "chord([n('fail', 'first'), chain(add.si(1, 1), n('note', 'member').set(immutable=True))], n('note', 'no body'))";
    expect(await failure(failing)).toMatch(/^ChordError/);
    await expect.poll(() => notes).toContainEqual(["member"]);
    expect(notes.filter((note) => note.includes("no body"))).toEqual([]);
  });

  it("fails with ChordError when a member in Python fails and Node's comes last", async () => {
    const failing = "chord([fail.s('member'), chain(add.s(1, 1), n('add', 1))], n('sum'))";
    // Whose member comes last writes the text, in its own quotes; Node's nearly always does.
    expect(await failure(failing)).toMatch(/^ChordError\(.*raised Refused\(["']member["'], 42\)/);
  });

  it("fails with ChordError when a member in Node fails and Python's comes last", async () => {
    const failing = "chord([n('fail', 'member'), chain(n('add', 1, 1), add.s(1))], n('sum'))";
    expect(await failure(failing)).toMatch(/^ChordError\(.*raised Error\(["']member["']\)/);
  });

  it("leaves nothing behind in Redis", async () => {
    // Celery itself leaves the parts of a chord that failed, for as long as results are kept.
    const keys = () =>
      place.python.eval("sorted(str(key) for key in app.backend.client.keys('celery-taskset-meta-*'))");
    const before = await keys();
    await get("chord([n('add', 1, 1), add.s(2, 2)], n('sum'))");
    await expect.poll(keys).toEqual(before);
  });
});

describe("callbacks", () => {
  it("link gets the result, in Node and in Python", async () => {
    await place.run(`n('add', 1, 2).apply_async(link=[n('note', 'linked'), n('add', 4)]).get(timeout=15)`);
    await expect.poll(() => notes).toContainEqual([3, "linked"]);
  });

  it("link of a Python task runs in Node", async () => {
    await place.run(`add.apply_async((20, 3), link=n('note', 'from python')).get(timeout=15)`);
    await expect.poll(() => notes).toContainEqual([23, "from python"]);
  });

  it("link of a group, of a chain and of a chord", async () => {
    const link =
      "[group(n('note', 'g1'), n('note', 'g2')), chain(n('add', 1), n('note', 'c')), chord([n('add', 1), n('add', 2)], n('note', 'body'))]";
    await place.run(`n('add', 50, 0).apply_async(link=${link}).get(timeout=15)`);
    await expect.poll(() => notes).toContainEqual([50, "g1"]);
    await expect.poll(() => notes).toContainEqual([50, "g2"]);
    await expect.poll(() => notes).toContainEqual([51, "c"]);
    await expect.poll(() => notes).toContainEqual([[51, 52], "body"]);
  });

  it("link_error gets the id of the job that failed, in Node and in Python", async () => {
    const id = "errback-test";
    const link = "[n('note', 'failed'), on_error.s()]";
    const call = `n('fail', 'x').apply_async(task_id='${id}', link_error=${link}).get(timeout=15)`;
    await expect(place.run(call)).rejects.toMatchObject({ args: ["x"] });
    await expect.poll(() => notes).toContainEqual([id, "failed"]);
    await expect
      .poll(() => place.python.eval("app.backend.client.lrange('errors', 0, -1)"))
      .toContainEqual({
        bytes: Buffer.from(id).toString("base64"),
      });
  });
});
