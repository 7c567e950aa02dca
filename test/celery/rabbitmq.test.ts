import { currentJob, Retry } from "taskwright";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { nextEvent } from "../core/support.js";
import { type CeleryPlace, openPlace } from "./place.js";
import { celeryCommand } from "./python.js";

vi.setConfig({ testTimeout: 60_000 });

let place: CeleryPlace;
const dead: unknown[] = [];
let refusing = true;

/** Defines, in Python, signatures of the tasks that run here. */
const N = "(lambda name, *args: remote('node.' + name, *args).set(queue='node'))";

beforeAll(async () => {
  place = await openPlace({}, "rabbitmq");
  const { app } = place;
  const node = { queue: "node" };
  app.task("node.add", node, (a: number, b: number) => a + b);
  app.task("node.sum", node, (numbers: number[]) => numbers.reduce((sum, one) => sum + one, 0));
  app.task("node.fail", { ...node, attempts: 1 }, (message: string) => {
    throw new TypeError(message);
  });
  app.task("node.flaky", { ...node, attempts: 4 }, (succeedAt: number) => {
    const { attempt } = currentJob();
    if (attempt < succeedAt) throw new Retry({ delay: 50 });
    return attempt;
  });
  app.task("node.refuse", { ...node, attempts: 2, backoff: 1 }, () => {
    if (refusing) throw new Error("refused");
    return currentJob().attempt;
  });
  app.task("node.wait", node, async () => {
    const { signal } = currentJob();
    await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  });
  app.on("job:dead", (event) => dead.push(event));
  await app.worker().start();
}, 120_000);

afterAll(() => place?.close());

const get = (canvas: string): Promise<unknown> =>
  place.python.eval(`(lambda n: (${canvas}).apply_async().get(timeout=20))(${N})`);

describe("over RabbitMQ, with results in Redis", () => {
  it("Python calls Node", async () => {
    expect(await get("n('add', 2, 3)")).toBe(5);
    await expect(get("n('fail', 'no number')")).rejects.toMatchObject({ type: "TypeError", args: ["no number"] });
  });

  it("Node calls Python", async () => {
    const add = place.app.remoteTask<[number, number], number>("proj.add");
    expect(await add.enqueue(2, 3).result({ timeout: "20s" })).toBe(5);
    await expect(place.app.send("proj.fail", { args: ["no"] }).result({ timeout: "20s" })).rejects.toMatchObject({
      name: "Refused",
      data: { module: "tasks" },
    });
    expect(await place.app.send("proj.request", { id: "mine", priority: 5 }).result({ timeout: "20s" })).toMatchObject({
      id: "mine",
      correlation_id: "mine",
      timelimit: [null, null],
    });
  });

  it("chains, groups and chords cross", async () => {
    expect(await get("chain(n('add', 1, 2), add.s(3), n('add', 4))")).toBe(10);
    expect(await get("group(n('add', 1, 1), add.s(2, 2))")).toEqual([2, 4]);
    expect(await get("chord([n('add', 1, 1), add.s(2, 2)], n('sum'))")).toBe(6);
    expect(await get("chain(n('add', 1, 2), group(n('add', 3), add.s(4)), tsum.s(), n('add', 100))")).toBe(113);
  });

  it("MessagePack and zlib are read", async () => {
    const options = "serializer='msgpack', compression='zlib'";
    expect(await place.python.eval(`(${N})('add', 1.5, 2).apply_async(${options}).get(timeout=20)`)).toBe(3.5);
  });

  it("countdown, delay and expires", async () => {
    const took = `(lambda t: [(${N})('add', 1, 2).apply_async(countdown=1).get(timeout=20), time.time() - t])(time.time())`;
    const [sum, seconds] = (await place.python.eval(took)) as number[];
    expect(sum).toBe(3);
    expect(seconds).toBeGreaterThan(0.95);
    const delayed = place.app.send("proj.request", { delay: "500ms" });
    const told = (await delayed.result({ timeout: "20s" })) as { eta: string };
    expect(Date.parse(told.eta)).toBeGreaterThan(0);
    const late = `(${N})('add', 1, 2).apply_async(countdown=1, expires=0.1).get(timeout=20)`;
    await expect(place.python.eval(late)).rejects.toMatchObject({ type: "TaskRevokedError" });
  });

  it("retries on either side", async () => {
    expect(await get("n('flaky', 3)")).toBe(3);
    expect(await place.app.send("proj.flaky", { args: [3] }).result({ timeout: "20s" })).toBe(3);
  });

  it("a pickle body is parked, with the reason", async () => {
    const parked = nextEvent(place.app, "job:dead");
    await place.python.eval(`(${N})('add', 1, 2).apply_async(serializer='pickle').id`);
    expect(await parked).toMatchObject({
      reason: "unreadable",
      error: expect.objectContaining({ message: expect.stringContaining("pickle") }),
    });
  });

  it("a dead letter is retried with all its attempts", async () => {
    await place.app.send("node.refuse", { id: "refused", queue: "node" });
    await expect(place.app.job("refused").result({ timeout: "20s" })).rejects.toThrow("refused");
    await expect.poll(() => place.app.inspect.find("refused")).toMatchObject({ state: "dead", reason: "failed" });
    refusing = false;
    expect(await place.app.inspect.retry(["refused"])).toEqual(["refused"]);
    expect(await place.app.job("refused").result({ timeout: "20s" })).toBe(1);
  });

  it("celery status, inspect and revoke find our worker", async () => {
    expect(await celeryCommand(place, ["status", "--timeout", "3"])).toMatch(/node-\d+-\w+@\S+: OK/);
    const started = nextEvent(place.app, "job:started");
    const job = await place.app.send("node.wait", { id: "waits", queue: "node" });
    await started;
    const active = JSON.stringify(await place.python.eval("app.control.inspect(timeout=2).active()"));
    expect(active).toContain('"name":"node.wait"');
    const stats = JSON.stringify(await place.python.eval("app.control.inspect(timeout=2).stats()"));
    expect(stats).toContain('"transport":"rabbitmq"');
    await place.python.eval("AsyncResult('waits').revoke(terminate=True)");
    await expect(job.result({ timeout: "20s" })).rejects.toMatchObject({ name: "CancelledError" });
  });

  it("events reach Celery's receiver", async () => {
    await place.python.eval("app.control.enable_events(reply=True, timeout=1)");
    const then = `lambda: (${N})('add', 1, 2).apply_async(task_id='told')`;
    const heard = await place.python.eval(`heard(app, {'task-received', 'task-succeeded'}, 'node-', ${then})`);
    expect((heard as { uuid?: string }[]).filter(({ uuid }) => uuid === "told")).toHaveLength(3);
  });
});
