import { Retry } from "taskwright";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { writeMessage } from "../../src/celery/outgoing.js";
import { type CeleryPlace, openPlace } from "./place.js";

/** As Celery 5.3 writes them, into the headers of a message and into the options of a signature: 5.2 only passes them on. */
const STAMPS = { stamped_headers: ["trace", "tenants"], stamps: { trace: "abc", tenants: ["a", "b"] } };
const HEADERS = "headers={'stamped_headers': ['trace', 'tenants'], 'stamps': {'trace': 'abc', 'tenants': ['a', 'b']}}";
const STAMPED = "stamped_headers=['trace', 'tenants'], trace='abc', tenants=['a', 'b']";

let place: CeleryPlace;

beforeAll(async () => {
  place = await openPlace();
  const { app } = place;
  const node = { queue: "node" };
  app.task("node.add", node, (a: number, b: number) => a + b);
  app.task("node.fail", { ...node, attempts: 1 }, () => {
    throw new Error("as asked");
  });
  app.task("node.later", node, () => {
    throw new Retry({ delay: "1h" });
  });
  await app.worker().start();
}, 60_000);

afterAll(() => place?.close());

const run = (call: string): Promise<unknown> => place.run(call);
/** What a task in Python sees of the stamps of its own message. */
const seen = async (id: string): Promise<unknown> => place.app.job(id).result({ timeout: "15s" });
const stamped = (id: string, more = "") => `stamps_of.si().set(task_id='${id}', ${STAMPED}${more})`;

describe("stamps reach", () => {
  it("a callback and an errback", async () => {
    await run(`n('add', 1, 2).apply_async(link=${stamped("s-link")}).id`);
    expect(await seen("s-link")).toEqual(STAMPS);
    await run(`n('fail').apply_async(link_error=${stamped("s-error")}).id`);
    expect(await seen("s-error")).toEqual(STAMPS);
  });

  it("the steps of a chain", async () => {
    expect(
      await run(`chain(n('add', 1, 2), n('add', 3).set(${STAMPED}), ${stamped("s-chain")}).delay().get()`),
    ).toEqual(STAMPS);
  });

  it("the members of a group, with those of the group itself", async () => {
    const group = `group(${stamped("s-a")}, stamps_of.si().set(task_id='s-b')).set(stamped_headers=['batch'], batch=7)`;
    await run(`n('add', 1, 2).apply_async(link=${group}).id`);
    expect(await seen("s-a")).toEqual({
      stamped_headers: ["trace", "tenants", "batch"],
      stamps: { ...STAMPS.stamps, batch: 7 },
    });
    expect(await seen("s-b")).toEqual({ stamped_headers: ["batch"], stamps: { batch: 7 } });
  });

  it("the body of a chord", async () => {
    await run(`chord([n('add', 1, 1), n('add', 2, 2)], ${stamped("s-body")}).apply_async().id`);
    expect(await seen("s-body")).toEqual(STAMPS);
  });

  it("the next run of a task that is retried", async () => {
    await run(`n('later').apply_async(task_id='s-later', ${HEADERS}).id`);
    const held = () => run("[v.decode() for v in app.backend.client.hvals('unacked') if b'\"retries\":1' in v]");
    await expect.poll(held).toHaveLength(1);
    const [text] = (await held()) as string[];
    expect(JSON.parse(text ?? "")).toMatchObject([{ headers: { id: "s-later", retries: 1, ...STAMPS } }, "", "node"]);
  });
});

describe("a message", () => {
  const draft = { id: "i", task: "t", queue: "q", priority: 0, args: [], kwargs: {}, rootId: "i", parentId: undefined };

  it("has them as Celery 5.3 writes them, and nothing of them where there are none, as 5.2", () => {
    const headers = (stamps?: typeof STAMPS) => writeMessage({ ...draft, form: "json", stamps }).headers?.headers;
    expect(headers(STAMPS)).toMatchObject(STAMPS);
    expect(headers()).not.toHaveProperty("stamped_headers");
  });

  it("whose signatures have stamps without names is parked", async () => {
    const id = await run("n('add', 1, 2).apply_async(link=add.s(1).set(stamped_headers=[1])).id");
    await expect.poll(() => place.app.inspect.find(String(id))).toMatchObject({ state: "dead", reason: "unreadable" });
  });
});
