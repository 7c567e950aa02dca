import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { connect } from "amqplib";
import { currentJob, Taskwright } from "taskwright";
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { nextEvent } from "../core/support.js";
import { temporaryFolder } from "../support/temporary.js";
import { until } from "../support/until.js";
import { type CeleryPlace, openPlace } from "./place.js";
import { PythonClient, PythonWorker } from "./python.js";

vi.setConfig({ testTimeout: 90_000 });

let place: CeleryPlace;
const notes: unknown[] = [];
beforeAll(async () => {
  place = await openPlace({}, "rabbitmq");
  const { app } = place;
  const node = { queue: "node" };
  app.task("node.add", node, (a: number, b: number) => a + b);
  app.task("node.named", node, (text: string, { times = 1 } = {}) => text.repeat(times));
  app.task("node.note", node, (...args: unknown[]) => void notes.push(args));
  app.task("node.fail", { ...node, attempts: 1 }, (message: string) => {
    throw new TypeError(message);
  });
  app.task("node.twice", { ...node, attempts: 2, backoff: 1 }, () => {
    throw new Error("as asked");
  });
  app.task("node.job", node, () => {
    const { id, parentId, rootId, queue, attempt } = currentJob();
    return { id, parentId, rootId, queue, attempt };
  });
  app.task("node.slow", { ...node, attempts: 1 }, async () => {
    const { signal } = currentJob();
    await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  });
  await app.worker().start();
}, 180_000);

afterAll(() => place?.close());

const run = (call: string): Promise<unknown> => place.run(call);

/** Python with other settings, on the same servers. */
async function otherPython(env: Readonly<Record<string, string>>): Promise<PythonClient> {
  const python = await PythonClient.open({ ...place, env });
  onTestFinished(() => python.close());
  return python;
}

/** The first message of a queue, or the one with an id, as it came over the wire. What came before it is taken out. */
async function firstOf(queue: string, id?: string) {
  const connection = await connect(place.url);
  onTestFinished(() => connection.close());
  const channel = await connection.createChannel();
  return until(`a message in ${queue}`, async () => {
    const message = await channel.get(queue, { noAck: true });
    if (message === false || (id !== undefined && message.properties.correlationId !== id)) return undefined;
    return message;
  });
}

describe("over RabbitMQ, Python's options in Node", () => {
  it("keyword arguments", async () => {
    expect(await run("n('named', 'ab', times=3).delay().get(timeout=20)")).toBe("ababab");
  });

  it("ids, root, parent and queue", async () => {
    const ids = "task_id='own', root_id='the-root', parent_id='the-parent'";
    const job = { id: "own", rootId: "the-root", parentId: "the-parent", queue: "node", attempt: 1 };
    expect(await run(`n('job').apply_async(${ids}).get(timeout=20)`)).toEqual(job);
  });

  it("time limits", async () => {
    const limited = "n('slow').apply_async(time_limit=30, soft_time_limit=0.2).get(timeout=20)";
    await expect(run(limited)).rejects.toMatchObject({ type: "TimeLimitExceeded" });
  });

  it("ignore_result", async () => {
    const ended = nextEvent(place.app, "job:completed");
    await run("n('add', 1, 2).apply_async(ignore_result=True, task_id='no-result').id");
    expect((await ended).id).toBe("no-result");
    expect(await place.redis.ask("EXISTS celery-task-meta-no-result")).toBe(":0\r\n");
  });

  it("link and link_error", async () => {
    await run("n('add', 1, 2).apply_async(link=n('note', 'sum')).id");
    await expect.poll(() => notes, { timeout: 20_000 }).toContainEqual([3, "sum"]);
    await run("n('fail', 'x').apply_async(task_id='failing', link_error=n('note', 'failed')).id");
    await expect.poll(() => notes, { timeout: 20_000 }).toContainEqual(["failing", "failed"]);
  });

  it("a result lasts as long as Python's own", async () => {
    await run("n('add', 1, 2).apply_async(task_id='ours').get(timeout=20)");
    await run("add.apply_async((1, 2), task_id='theirs').get(timeout=20)");
    const [ours, theirs] = (await run(
      "[app.backend.client.ttl('celery-task-meta-' + id) for id in ('ours', 'theirs')]",
    )) as number[];
    expect(theirs).toBeGreaterThan(86_000);
    expect(Math.abs((ours ?? 0) - (theirs ?? 0))).toBeLessThan(60);
  });

  it("priorities, where both declare their queue with them: 9 runs first", async () => {
    const python = await otherPython({ MAX_PRIORITY: "10" });
    for (const priority of [0, 9, 5])
      await python.eval(`remote('node.rank', ${priority}).set(queue='ranked').apply_async(priority=${priority}).id`);
    const ranked: number[] = [];
    const { backend } = place;
    const terms = {
      protocol: "celery",
      broker: `${place.url}?maxPriority=10`,
      worker: { queues: ["ranked"] },
    } as const;
    await using app = new Taskwright({ ...terms, ...(backend !== undefined && { backend }) });
    app.task("node.rank", { queue: "ranked" }, (rank: number) => void ranked.push(rank));
    await using worker = app.worker({ concurrency: 1 });
    await worker.start();
    await expect.poll(() => ranked, { timeout: 20_000 }).toEqual([9, 5, 0]);
  });

  it("messages of protocol 1", async () => {
    const python = await otherPython({ PROTOCOL: "1" });
    const sum = "remote('node.add', 2, 3).set(queue='node').apply_async(task_id='version-1').get(timeout=20)";
    expect(await python.eval(sum)).toBe(5);
    await python.eval("remote('node.add', 2, 3).set(queue='version-1').apply_async().id");
    expect((await firstOf("version-1")).properties.headers).not.toHaveProperty("task");
  });
});

describe("over RabbitMQ, a message that expires in its queue", () => {
  it("is gone before a worker is there, and is not once one has had it", async () => {
    await run("remote('node.add', 1, 2).set(queue='expiring').apply_async(expiration=0.05, task_id='gone').id");
    await run("remote('node.add', 1, 2).set(queue='expiring').apply_async(task_id='stays').id");
    expect(JSON.parse((await firstOf("expiring", "stays")).content.toString())[0]).toEqual([1, 2]);
    // Only a worker that runs has to be fast enough for a tenth of a minute.
    const dead = nextEvent(place.app, "job:dead");
    await run("n('fail', 'late').apply_async(expiration=6, task_id='expires').id");
    await dead;
    expect((await firstOf("node.dead", "expires")).properties.expiration).toBeUndefined();
  });
});

describe("over RabbitMQ, stamps reach", () => {
  const stamps = { stamped_headers: ["trace"], stamps: { trace: "abc" } };
  const stamped = (id: string) => `stamps_of.si().set(task_id='${id}', stamped_headers=['trace'], trace='abc')`;
  const headers = "headers={'stamped_headers': ['trace'], 'stamps': {'trace': 'abc'}}";

  it.each([
    ["a callback", (last: string) => `n('add', 1, 2).apply_async(link=${last})`],
    ["an errback", (last: string) => `n('fail', 'x').apply_async(link_error=${last})`],
    ["the steps of a chain", (last: string) => `chain(n('add', 1, 2), n('add', 3), ${last}).apply_async()`],
    ["the members of a group", (last: string) => `n('add', 1, 2).apply_async(link=group(n('add', 1), ${last}))`],
    ["the body of a chord", (last: string) => `chord([n('add', 1, 1), n('add', 2, 2)], ${last}).apply_async()`],
  ])("%s", async (what, call) => {
    const id = what.replaceAll(" ", "-");
    await run(`${call(stamped(id))}.id`);
    expect(await place.app.job(id).result({ timeout: "20s" })).toEqual(stamps);
  });

  it("the next run of a task that is retried, and its dead letter", async () => {
    const retried = nextEvent(place.app, "job:retrying");
    const dead = nextEvent(place.app, "job:dead");
    await run(`n('twice').apply_async(task_id='stamped', ${headers}).id`);
    expect(await retried).toMatchObject({ id: "stamped" });
    await dead;
    const letter = await firstOf("node.dead", "stamped");
    expect(letter.properties.headers).toMatchObject({ retries: 1, ...stamps });
  });
});

describe("over RabbitMQ, a message of ours", () => {
  it("has the properties and headers that Python's has", async () => {
    await place.python.eval("add.apply_async((1, 2), queue='raw-python').id");
    await place.app.send("proj.add", { args: [1, 2], queue: "raw-node" });
    const [theirs, ours] = [await firstOf("raw-python"), await firstOf("raw-node")];
    const named = (properties: object) =>
      Object.entries(properties)
        .flatMap(([name, value]) => (value === undefined ? [] : [name]))
        .sort();
    // And one of ours, for what Celery has no header for.
    const headers = named(ours.properties.headers ?? {}).filter((name) => name !== "taskwright");
    // From 5.3 on, also where there are no stamps and nothing was replaced; without them they are so.
    const later = ["stamps", "stamped_headers", "replaced_task_nesting"];
    expect(headers).toEqual(named(theirs.properties.headers ?? {}).filter((name) => !later.includes(name)));
    expect(named(ours.properties)).toEqual(expect.arrayContaining(named(theirs.properties)));
    for (const name of ["contentType", "contentEncoding", "deliveryMode"] as const)
      expect([name, ours.properties[name]]).toEqual([name, theirs.properties[name]]);
    // Python leaves it out, which is 0 to RabbitMQ.
    expect(ours.properties.priority).toBe(theirs.properties.priority ?? 0);
    expect(ours.properties.correlationId).toBe(ours.properties.headers?.id);
    expect(JSON.parse(ours.content.toString())).toEqual(JSON.parse(theirs.content.toString()));
  });

  it("runs by its priority in Python", async () => {
    const { backend } = place;
    const broker = `${place.url}?maxPriority=10`;
    await using app = new Taskwright({ protocol: "celery", broker, ...(backend !== undefined && { backend }) });
    const folder = await temporaryFolder();
    onTestFinished(() => folder.remove());
    const file = join(folder.path, "ran");
    for (const priority of [0, 9, 5])
      await app.send("proj.append", { args: [file, `${priority}`], queue: "ranked-python", priority });
    const worker = await PythonWorker.open({ ...place, env: { MAX_PRIORITY: "10" } }, [
      "-Q",
      "ranked-python",
      "-c",
      "1",
    ]);
    onTestFinished(() => worker.kill());
    const lines = async () => (await readFile(file, "utf8")).match(/(?<=end )\d/g);
    await expect.poll(lines, { timeout: 30_000 }).toEqual(["9", "5", "0"]);
  });
});

describe("over RabbitMQ, what cannot be run is parked with its reason", () => {
  it.each([
    ["a body of yaml", "n('add', 1, 2).apply_async(serializer='yaml').id", "unreadable", "yaml"],
    ["an unknown task", "n('nosuch').apply_async().id", "unknown-task", "node.nosuch"],
  ])("%s", async (_what, call, reason, word) => {
    const parked = nextEvent(place.app, "job:dead");
    await run(call);
    expect(await parked).toMatchObject({ reason, error: { message: expect.stringContaining(word) } });
  });
});

describe("over RabbitMQ, remote control", () => {
  it("ping, registered, reserved, scheduled and query_task", async () => {
    const mine = async (method: string) => {
      const answers = (await place.python.eval(`app.control.inspect(timeout=3).${method}`)) as Record<string, unknown>;
      return Object.entries(answers).find(([name]) => name.startsWith("node-"))?.[1];
    };
    expect(await mine("ping()")).toEqual({ ok: "pong" });
    expect(await mine("registered()")).toContain("node.add");
    expect(await mine("reserved()")).toEqual([]);
    expect(await mine("scheduled()")).toEqual([]);
    expect(await mine("query_task('nosuch')")).toEqual({});
  });

  it("rate_limit, and what is not known", async () => {
    const limit = "app.control.rate_limit('node.add', '10/s', reply=True, timeout=3)";
    expect(JSON.stringify(await place.python.eval(limit))).toContain("new rate limit set successfully");
    const unknown = "app.control.broadcast('pool_grow', arguments={'n': 1}, reply=True, timeout=3)";
    expect(JSON.stringify(await place.python.eval(unknown))).toContain("taskwright does not know the command");
  });

  it("shutdown ends our worker in order", async () => {
    const stopped = nextEvent(place.app, "worker:stopped");
    const pattern = "app.control.broadcast('shutdown', pattern='node-*', matcher='glob')";
    await place.python.eval(pattern);
    expect(await stopped).toMatchObject({ worker: expect.any(String) });
  });
});
