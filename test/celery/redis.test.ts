import { currentJob, Taskwright } from "taskwright";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RedisServer, startRedis } from "../support/redis/server.js";
import { PythonClient, PythonWorker } from "./python.js";

let server: RedisServer;
let python: PythonClient;
let pythonWorker: PythonWorker;
let app: Taskwright<undefined>;

beforeAll(async () => {
  server = await startRedis();
  const place = { broker: `${server.url}/0` };
  [python, pythonWorker] = await Promise.all([PythonClient.open(place), PythonWorker.open(place, ["-Q", "celery"])]);
  app = new Taskwright({ protocol: "celery", broker: place.broker, worker: { queues: ["node"] } });
  app.task("node.add", { queue: "node" }, (a: number, b: number) => a + b);
  app.task("node.echo", { queue: "node" }, (...args: unknown[]) => ({ args }));
  app.task("node.job", { queue: "node" }, () => {
    const { id, parentId, rootId, attempt } = currentJob();
    return { id, parentId, rootId, attempt };
  });
  app.task("node.fail", { queue: "node", attempts: 1 }, () => {
    throw new TypeError("that is no number");
  });
  await app.worker().start();
}, 60_000);

afterAll(async () => {
  await app?.close();
  python?.close();
  await pythonWorker?.kill();
  await server?.remove();
});

describe("Python calls Node", () => {
  it("and gets the result", async () => {
    expect(await python.eval("remote('node.add', 2, 3).set(queue='node').delay().get(timeout=10)")).toBe(5);
  });

  it("with keyword arguments and unicode", async () => {
    const call =
      "remote('node.echo', 1, 'ß☃', deep={'list': [1, None, True]}).set(queue='node').delay().get(timeout=10)";
    expect(await python.eval(call)).toEqual({ args: [1, "ß☃", { deep: { list: [1, null, true] } }] });
  });

  it("and an error is raised as the exception it is", async () => {
    const call = "remote('node.fail').set(queue='node').delay().get(timeout=10)";
    await expect(python.eval(call)).rejects.toMatchObject({
      type: "TypeError",
      module: "builtins",
      args: ["that is no number"],
    });
  });
});

describe("Node calls Python", () => {
  it("and gets the result", async () => {
    const add = app.remoteTask<[number, number], number>("proj.add");
    expect(await add.enqueue(2, 3).result({ timeout: "10s" })).toBe(5);
  });

  it("with keyword arguments", async () => {
    const job = app.send("proj.echo", { args: [1, "ß"], kwargs: { x: [null, true, 2.5] } });
    expect(await job.result({ timeout: "10s" })).toEqual({ args: [1, "ß"], kwargs: { x: [null, true, 2.5] } });
  });

  it("and an exception arrives as RemoteError", async () => {
    const job = app.send("proj.fail", { args: ["no way"] });
    await expect(job.result({ timeout: "10s" })).rejects.toMatchObject({
      name: "Refused",
      message: "no way, 42",
      data: { module: "tasks", args: ["no way", 42] },
      stack: expect.stringContaining("Traceback (most recent call last)"),
    });
  });
});

describe("an app of another protocol, with queues of Celery's", () => {
  let native: Taskwright<undefined>;

  beforeAll(async () => {
    const place = { protocol: "celery", broker: `${server.url}/0` } as const;
    native = new Taskwright({ broker: "memory:", queuePlaces: { celery: place, shared: place } });
    native.task("both.add", (a: number, b: number) => a + b);
    await native.worker().start();
    await native.worker({ queues: ["shared"] }).start();
  });

  afterAll(() => native?.close());

  it("sends to Python what goes to such a queue, by a call or by a task's options", async () => {
    const sent = native.send("proj.add", { args: [1, 2], queue: "celery" });
    expect(await sent.result({ timeout: "10s" })).toBe(3);
    const add = native.remoteTask<[number, number], number>("proj.add", { queue: "celery" });
    const [job] = await add.enqueueMany([[3, 4]]);
    expect(await job?.result({ timeout: "10s" })).toBe(7);
  });

  it("runs the same task for Python, by a worker of that queue, and for itself", async () => {
    expect(await python.eval("remote('both.add', 2, 3).set(queue='shared').delay().get(timeout=10)")).toBe(5);
    expect(await native.send("both.add", { args: [4, 5], queue: "shared" }).result({ timeout: "10s" })).toBe(9);
    expect(await native.send("both.add", { args: [6, 7] }).result({ timeout: "10s" })).toBe(13);
  });

  it("cancels by its id what only the other place knows, though Celery can always be asked", async () => {
    const app = new Taskwright({
      broker: `${server.url}/0`,
      protocol: "celery",
      queuePlaces: { own: { protocol: "taskwright", broker: `${server.url}/0?prefix=own` } },
    });
    const { id } = await app.send("both.add", { args: [1, 2], queue: "own" });
    expect(await app.job(id).cancel()).toBe("cancelled");
    await app.close();
  });

  it("has no worker for queues in different places", async () => {
    const mixed = native.worker({ queues: ["default", "celery"] });
    await expect(mixed.start()).rejects.toThrow(/"default" and "celery" are in different places .* a worker for each/);
  });

  it.each([
    [{ celery: "celery" }, /queuePlaces\["celery"\] must be an object/],
    [{ celery: { protocl: "celery" } }, /did you mean "protocol"/],
    [{ celery: { protocol: "amqp" } }, /queuePlaces\["celery"\]\.protocol must be "taskwright" or "celery"/],
    [["celery"], /queuePlaces must be places by queue/],
  ])("refuses %j", (queuePlaces, message) => {
    expect(() => new Taskwright({ queuePlaces: queuePlaces as never })).toThrow(message);
  });
});
