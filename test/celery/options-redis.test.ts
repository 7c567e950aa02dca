import { currentJob, Retry, Taskwright } from "taskwright";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { nextEvent } from "../core/support.js";
import { type CeleryPlace, openPlace } from "./place.js";
import { PythonClient } from "./python.js";

let place: CeleryPlace;
const order: unknown[] = [];

beforeAll(async () => {
  place = await openPlace({ celery: { trackStarted: true, resultExtended: true } });
  const { app } = place;
  const node = { queue: "node" };
  app.task("node.add", node, (a: number, b: number) => a + b);
  app.task("node.flaky", { ...node, attempts: 4, backoff: 10 }, (succeedAt: number) => {
    const { attempt } = currentJob();
    if (attempt < succeedAt) throw new Retry({ delay: 50 });
    return attempt;
  });
  app.task("node.job", node, (...args: unknown[]) => {
    const { id, parentId, rootId, attempt, queue, labels } = currentJob();
    return { id, parentId, rootId, attempt, queue, labels, args };
  });
  app.task("node.slow", { ...node, attempts: 1 }, async () => {
    const { signal } = currentJob();
    await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  });
  app.task("node.order", { queue: "ordered" }, (name: unknown) => void order.push(name));
  await app.worker().start();
}, 60_000);

afterAll(() => place?.close());

const call = (rest: string): Promise<unknown> => place.python.eval(rest);

describe("Python's options, in Node", () => {
  it("countdown and eta delay a task", async () => {
    const took =
      "(lambda t: [remote('node.add', 1, 2).set(queue='node').apply_async(countdown=0.5).get(timeout=10), time.time() - t])(time.time())";
    const [sum, seconds] = (await call(took)) as [number, number];
    expect(sum).toBe(3);
    expect(seconds).toBeGreaterThanOrEqual(0.5);
    expect(seconds).toBeLessThan(3);
  });

  it.each([{}, { PROTOCOL: "1" }, { TIMEZONE: "Asia/Tokyo" }, { TIMEZONE: "America/New_York", PROTOCOL: "1" }])(
    "an eta without a zone is UTC, and a countdown begins now, from a Python with %j",
    async (env) => {
      const python = await PythonClient.open({ ...place, env });
      onTestFinished(() => python.close());
      const after = async (options: string) => {
        const timed = `(lambda t: [remote('node.add', 1, 2).set(queue='node').apply_async(${options}).get(timeout=10), time.time() - t])(time.time())`;
        const [sum, seconds] = (await python.eval(timed)) as [number, number];
        expect(sum).toBe(3);
        return seconds;
      };
      const naive = "datetime.now(timezone.utc).replace(tzinfo=None) + timedelta(seconds=1)";
      for (const options of ["countdown=1", `eta=${naive}`]) {
        const seconds = await after(options);
        expect(seconds).toBeGreaterThanOrEqual(0.99);
        expect(seconds).toBeLessThan(5);
      }
      // What Celery's own workers make of such a text, with these settings.
      const theirs = "maybe_make_aware(maybe_iso8601('2030-01-02T03:04:05'), app.conf.timezone).timestamp()";
      expect(await python.eval(theirs)).toBe(Date.parse("2030-01-02T03:04:05Z") / 1000);
    },
  );

  it("a delayed task is in Redis and not in a worker's memory, where kombu finds it too", async () => {
    await call("remote('node.add', 1, 2).set(queue='node').apply_async(countdown=3600, task_id='in-an-hour').id");
    const held = await expect.poll(() =>
      call("[v for v in app.backend.client.hvals('unacked') if b'in-an-hour' in v]"),
    );
    await held.toHaveLength(1);
    const until = await call(
      "max(s for _, s in app.backend.client.zrange('unacked_index', 0, -1, withscores=True)) - time.time()",
    );
    // It has passed the visibility timeout, which is an hour, when it is due.
    expect(Number(until)).toBeLessThan(10);
  });

  it("a short delay overtakes a long one", async () => {
    const send = (name: string, countdown: number) =>
      call(`remote('node.order', '${name}').set(queue='ordered').apply_async(countdown=${countdown}).id`);
    await send("long", 0.8);
    await send("short", 0.2);
    const worker = place.app.worker({ queues: ["ordered"] });
    await worker.start();
    await expect.poll(() => order, { timeout: 5000 }).toEqual(["short", "long"]);
    await worker.stop();
  });

  it("expires ends a task as revoked", async () => {
    const state =
      "(lambda r: (r.get(timeout=10, propagate=False), r.state, repr(r.result)))(remote('node.add', 1, 2).set(queue='node').apply_async(countdown=0.5, expires=0.1))";
    expect(await call(state)).toMatchObject([expect.anything(), "REVOKED", "TaskRevokedError('expired')"]);
  });

  it("a time limit ends it", async () => {
    const limited =
      "remote('node.slow').set(queue='node').apply_async(time_limit=30, soft_time_limit=0.2).get(timeout=10)";
    await expect(call(limited)).rejects.toMatchObject({ type: "TimeLimitExceeded", module: "billiard.exceptions" });
  });

  it("ignore_result leaves none", async () => {
    const ended = nextEvent(place.app, "job:completed");
    await call("remote('node.add', 1, 2).set(queue='node').apply_async(ignore_result=True, task_id='no-result').id");
    expect((await ended).id).toBe("no-result");
    expect(await place.redis.ask("EXISTS celery-task-meta-no-result")).toBe(":0\r\n");
  });

  it("MessagePack and zlib are read", async () => {
    for (const options of ["serializer='msgpack'", "compression='zlib'", "serializer='msgpack', compression='zlib'"]) {
      const result = call(
        `remote('node.job', 'ß', [1.5, None]).set(queue='node').apply_async(${options}).get(timeout=10)['args']`,
      );
      expect(await result).toEqual(["ß", [1.5, null]]);
    }
  });

  it("messages of protocol 1 are run", async () => {
    const python = await PythonClient.open({ ...place, env: { PROTOCOL: "1" } });
    onTestFinished(() => python.close());
    const sum = "remote('node.add', 2, 3).set(queue='node').apply_async().get(timeout=10)";
    expect(await python.eval(sum)).toBe(5);
    await python.eval("remote('node.add', 2, 3).set(queue='version-1').apply_async().id");
    expect(await place.redis.ask("LRANGE version-1 0 -1")).toContain('"headers": {}');
  });

  it("ids, root, parent and queue arrive", async () => {
    const job =
      "remote('node.job').set(queue='node').apply_async(task_id='own-id', root_id='the-root', parent_id='the-parent').get(timeout=10)";
    expect(await call(job)).toEqual({
      id: "own-id",
      rootId: "the-root",
      parentId: "the-parent",
      attempt: 1,
      queue: "node",
      labels: {},
      args: [],
    });
  });

  it("priorities are Celery's on Redis: 0 runs first", async () => {
    order.length = 0;
    for (const priority of [9, 0, 5]) {
      await call(`remote('node.order', ${priority}).set(queue='ordered').apply_async(priority=${priority}).id`);
    }
    const worker = place.app.worker({ queues: ["ordered"], concurrency: 1 });
    await worker.start();
    await expect.poll(() => order).toEqual([0, 5, 9]);
    await worker.stop();
  });

  it("retries in Node are seen by Python as RETRY, and counted in the message", async () => {
    const retrying = nextEvent(place.app, "job:retrying");
    const meta = retrying.then(() => place.redis.ask("GET celery-task-meta-retried"));
    const result = call("remote('node.flaky', 3).set(queue='node').apply_async(task_id='retried').get(timeout=10)");
    expect(await meta).toContain('"status":"RETRY"');
    expect(await result).toBe(3);
    expect(await call("json.loads(app.backend.client.get('celery-task-meta-retried'))['retries']")).toBe(2);
  });

  it("an extended result has the task's name, arguments, worker and queue", async () => {
    const meta =
      "(lambda r: (r.get(timeout=10), r._get_task_meta()))(remote('node.add', 1, 2).set(queue='node').delay())[1]";
    expect(await call(meta)).toMatchObject({ name: "node.add", args: [1, 2], kwargs: {}, queue: "node", retries: 0 });
  });

  it("STARTED is written", async () => {
    const job = "remote('node.slow').set(queue='node').apply_async(task_id='started', soft_time_limit=1).id";
    await call(job);
    await expect.poll(() => call("AsyncResult('started').state")).toBe("STARTED");
  });
});

describe("Node's options, in Python", () => {
  const request = (options = {}) => place.app.send("proj.request", options).result({ timeout: "10s" });

  it("delay", async () => {
    const before = Date.now();
    const told = (await request({ delay: "2s" })) as { eta: string };
    // Celery 5.2 takes whole seconds of an eta, so it may be up to one early.
    expect(Date.now() - before).toBeGreaterThan(900);
    expect(Date.parse(told.eta)).toBeGreaterThanOrEqual(before + 1990);
  });

  it("expires", async () => {
    const job = place.app.send("proj.request", { delay: "3s", expires: "100ms" });
    await expect(job.result({ timeout: "10s" })).rejects.toMatchObject({ name: "ExpiredError" });
  });

  it("timeout is the hard limit", async () => {
    expect(await request({ timeout: "20s" })).toMatchObject({ timelimit: [20, null] });
  });

  it("id, root id and arguments", async () => {
    expect(await request({ id: "from-node", args: [1, { a: [2] }] })).toMatchObject({
      id: "from-node",
      root_id: "from-node",
      parent_id: null,
      correlation_id: "from-node",
      args: [1, { a: [2] }],
      retries: 0,
      ignore_result: false,
    });
  });

  it("the job that enqueues another is its parent", async () => {
    const outer = place.app.task("node.outer", { queue: "node" }, async () => {
      return place.app.send("proj.request").result({ timeout: "10s" });
    });
    const job = await outer.enqueue();
    expect(await job.result({ timeout: "10s" })).toMatchObject({ parent_id: job.id, root_id: job.id });
  });

  it("result: { keep: false } is ignore_result", async () => {
    await place.app.send("proj.request", { id: "ignored", result: { keep: false } });
    await expect.poll(() => place.worker.log).toContain("proj.request[ignored] succeeded");
    // That it started is there, which tasks.py asks for.
    expect(await place.redis.ask("GET celery-task-meta-ignored")).not.toContain("SUCCESS");
  });

  it("codec: msgpack sends MessagePack", async () => {
    await using app = new Taskwright({ protocol: "celery", broker: place.url, codec: "msgpack" });
    const echo = app.remoteTask<[Uint8Array, number], { args: unknown[] }>("proj.echo");
    // Its result is JSON nevertheless, which has no bytes: 5.2 fails, later ones write them as text.
    const settled = await echo
      .enqueue(Buffer.from([1]), 2)
      .result({ timeout: "10s" })
      .catch((error: Error) => error.name);
    expect(["EncodeError", { args: ["\u0001", 2], kwargs: {} }]).toContainEqual(settled);
    expect(await app.send("proj.add", { args: [1.5, 2] }).result({ timeout: "10s" })).toBe(3.5);
  });

  it("retries in Python are waited for", async () => {
    expect(await place.app.send("proj.flaky", { args: [3] }).result({ timeout: "10s" })).toBe(3);
  });

  it("what Python cannot read is refused before it is sent", async () => {
    await expect(place.app.send("proj.echo", { args: [new Map()] })).rejects.toThrow(/args.*Map|Map/);
    await expect(place.app.send("proj.echo", { args: [Number.NaN] })).rejects.toThrow(/NaN/);
    await expect(place.app.send("proj.echo", { args: [2n ** 70n] })).rejects.toThrow(/too large/);
  });
});

describe("an app of another protocol", () => {
  it("reaches Python by a remote task that says so", async () => {
    await using app = new Taskwright({ broker: "memory:" });
    const add = app.remoteTask<[number, number], number>("proj.add", { protocol: "celery", broker: place.url });
    expect(await add.enqueue(20, 3).result({ timeout: "10s" })).toBe(23);
  });
});
