import { currentJob, type EventMap, Retry, Taskwright } from "taskwright";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { deferred, nextEvent } from "../core/support.js";
import { type RabbitmqServer, startRabbitmq } from "../support/rabbitmq/server.js";
import { Relay } from "../support/relay.js";
import { until } from "../support/until.js";
import { PythonClient, PythonWorker } from "./python.js";

vi.setConfig({ testTimeout: 60_000 });

const BACKEND = "rpc://";
let server: RabbitmqServer;
let python: PythonClient;
let pythonWorker: PythonWorker;
let app: Taskwright<undefined>;
const dead: EventMap["job:dead"][0][] = [];
/** What a task of ours waits for. */
let gate = deferred();

beforeAll(async () => {
  server = await startRabbitmq();
  const place = { broker: server.url, backend: BACKEND };
  [python, pythonWorker] = await Promise.all([PythonClient.open(place), PythonWorker.open(place, ["-Q", "celery"])]);
  app = new Taskwright({ protocol: "celery", ...place, worker: { queues: ["node"] } });
  const node = { queue: "node" };
  app.task("node.add", node, (a: number, b: number) => a + b);
  app.task("node.fail", { ...node, attempts: 1 }, (message: string) => {
    throw new TypeError(message);
  });
  app.task("node.flaky", { ...node, attempts: 4 }, (succeedAt: number) => {
    const { attempt } = currentJob();
    if (attempt < succeedAt) throw new Retry({ delay: 50 });
    return attempt;
  });
  app.task("node.gate", node, () => gate.promise);
  app.task("node.progress", { ...node, attempts: 1 }, () => currentJob().progress(1));
  app.on("job:dead", (event) => dead.push(event));
  await app.worker().start();
}, 120_000);

afterAll(async () => {
  await app?.close();
  python?.close();
  await pythonWorker?.kill();
  await server?.remove();
});

/** Defines, in Python, signatures of the tasks that run here. */
const N = "(lambda name, *args: remote('node.' + name, *args).set(queue='node'))";
const get = (canvas: string): Promise<unknown> =>
  python.eval(`(lambda n: (${canvas}).apply_async().get(timeout=20))(${N})`);

/** The queues for answers, each with how it was declared. */
const replyQueues = () =>
  server.evaluate(
    `[lists:flatten(io_lib:format("~s ~p ~p", [N, amqqueue:is_durable(Q), amqqueue:get_arguments(Q)])) || Q <- rabbit_amqqueue:list(<<"/">>), {resource, _, _, N} <- [amqqueue:get_name(Q)], binary:match(N, <<"taskwright.reply.">>) =/= nomatch]`,
  );

describe("rpc://: Python waits for Node", () => {
  it("a result, and an exception", async () => {
    expect(await get("n('add', 2, 3)")).toBe(5);
    await expect(get("n('fail', 'no number')")).rejects.toMatchObject({ type: "TypeError", args: ["no number"] });
  });

  it("a result that comes after retries", async () => {
    expect(await get("n('flaky', 3)")).toBe(3);
  });

  it("chains that cross, groups, and a chain that fails on its way", async () => {
    expect(await get("chain(n('add', 1, 2), add.s(3), n('add', 4))")).toBe(10);
    expect(await get("group(n('add', 1, 1), add.s(2, 2), n('add', 3, 3))")).toEqual([2, 4, 6]);
    await expect(get("chain(n('add', 1, 2), n('fail', 'step').set(immutable=True), add.s(1))")).rejects.toMatchObject({
      type: "TypeError",
      args: ["step"],
    });
  });

  it("why a part of a chord is parked: nobody counts them", async () => {
    const part = `(${N})('add', 1, 2).apply_async(group_id='g', chord=remote('node.add'), task_id='part')`;
    await expect(python.eval(`${part}.get(timeout=20)`)).rejects.toMatchObject({ type: "UnreadableError" });
    await expect
      .poll(() => dead.find(({ id }) => id === "part"), { timeout: 20_000 })
      .toMatchObject({
        reason: "unreadable",
        error: expect.objectContaining({ message: expect.stringMatching(/belongs to a chord, which needs `backend`/) }),
      });
  });

  it("nothing, with ignore_result", async () => {
    const ended = nextEvent(app, "job:completed");
    await python.eval(`(${N})('add', 1, 2).apply_async(ignore_result=True, task_id='unanswered').id`);
    expect((await ended).id).toBe("unanswered");
    expect(await python.eval("AsyncResult('unanswered').state")).toBe("PENDING");
  });
});

describe("rpc://: Node waits for Python", () => {
  it("a result, and an exception as RemoteError", async () => {
    const add = app.remoteTask<[number, number], number>("proj.add");
    expect(await add.enqueue(2, 3).result({ timeout: "20s" })).toBe(5);
    await expect(app.send("proj.fail", { args: ["no"] }).result({ timeout: "20s" })).rejects.toMatchObject({
      name: "Refused",
      message: "no, 42",
      data: { module: "tasks" },
    });
    expect(await app.send("proj.flaky", { args: [3] }).result({ timeout: "20s" })).toBe(3);
  });

  it("many at once, each its own", async () => {
    const add = app.remoteTask<[number, number], number>("proj.add");
    const jobs = await add.enqueueMany(Array.from({ length: 200 }, (_, n) => [n, n]));
    const results = await Promise.all(jobs.map((job) => job.result({ timeout: "40s" })));
    expect(results).toEqual(Array.from({ length: 200 }, (_, n) => 2 * n));
  });

  it("a result that came before anybody asked, by its id, until it is forgotten", async () => {
    const job = await app.send("proj.add", { args: [1, 2] });
    await expect.poll(() => job.state(), { timeout: 20_000 }).toBe("completed");
    expect(await app.job(job.id).result({ timeout: "20s" })).toBe(3);
    expect(await job.forget()).toBe(true);
    expect(await job.state()).toBe("unknown");
  });

  it("a result that is sent while its connection is cut", async () => {
    gate = deferred();
    const started = nextEvent(app, "job:started");
    const job = await app.send("node.gate", { queue: "node" });
    await started;
    await server.closeConnections();
    gate.resolve();
    // The attempt is lost with its connection, and another one answers.
    await expect(job.result({ timeout: "40s" })).resolves.toBeNull();
  });

  it("also after an outage that was longer than any call waits", async () => {
    const relay = await Relay.before(server.url);
    await using cut = new Taskwright({ protocol: "celery", broker: `${relay.url}?timeout=300ms`, backend: BACKEND });
    const add = cut.remoteTask<[number, number], number>("proj.add");
    expect(await add.enqueue(1, 2).result({ timeout: "20s" })).toBe(3);
    await relay.down();
    for (let n = 0; n < 3; n++) await expect(add.enqueue(1, 2)).rejects.toMatchObject({ code: "broker" });
    await relay.up();
    const job = await until("an enqueue", () => add.enqueue(3, 4));
    expect(await job.result({ timeout: "20s" })).toBe(7);
  });

  it("on a queue of its own, which goes when nobody listens", async () => {
    const queues = await replyQueues();
    // RabbitMQ 4 adds the type of the queue.
    expect(queues).toMatch(
      /taskwright\.reply\.[0-9a-f-]{36} true \[\{<<.*x-expires.*>>,[\\n ]*\w+,[\\n ]*600000\}[,\]]/s,
    );
  });
});

describe("rpc://", () => {
  it("has no place for progress", async () => {
    const job = app.send("node.progress", { queue: "node" });
    await expect(job.result({ timeout: "20s" })).rejects.toThrow(/rpc:\/\/ has no place for progress/);
  });

  it("needs RabbitMQ, and Celery's protocol", async () => {
    await using native = new Taskwright({ broker: server.url, backend: BACKEND });
    await expect(native.connect()).rejects.toThrow(/rpc:\/\/ needs RabbitMQ .* protocol: "celery"/);
  });

  it("persistent results are marked so", async () => {
    await using answering = new Taskwright({
      protocol: "celery",
      broker: server.url,
      backend: BACKEND,
      celery: { resultPersistent: true },
    });
    answering.task("node.kept", () => "kept");
    await answering.worker({ queues: ["kept"] }).start();
    const call = "remote('node.kept').set(queue='kept').apply_async(task_id='kept', reply_to='plain')";
    expect(await python.eval(`first_in('plain', lambda: ${call})`)).toEqual([2, "kept", "kept"]);
    const other = `(${N})('add', 1, 2).apply_async(task_id='not kept', reply_to='plain')`;
    expect(await python.eval(`first_in('plain', lambda: ${other})`)).toEqual([1, "not kept", 3]);
  });
});
