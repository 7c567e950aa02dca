import { currentJob } from "taskwright";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { nextEvent } from "../core/support.js";
import { type CeleryPlace, openPlace } from "./place.js";
import { celeryCommand } from "./python.js";

vi.setConfig({ testTimeout: 60_000 });

let place: CeleryPlace;

beforeAll(async () => {
  place = await openPlace();
  place.app.task("node.add", { queue: "node" }, (a: number, b: number) => a + b);
  place.app.task("node.wait", { queue: "node" }, async () => {
    const { signal } = currentJob();
    await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  });
  await place.app.worker({ concurrency: 3 }).start();
}, 60_000);

afterAll(() => place?.close());

/** What our worker answers; Python's is there too. */
async function inspect(method: string): Promise<unknown> {
  const answers = (await place.python.eval(`app.control.inspect(timeout=2).${method}`)) as Record<string, unknown>;
  const names = Object.keys(answers).filter((name) => name.startsWith("node-"));
  expect(names).toHaveLength(1);
  return answers[names[0] ?? ""];
}

/** Of our worker. */
async function nodename(): Promise<string> {
  const names = (await place.python.eval("list(app.control.inspect(timeout=2).ping())")) as string[];
  return names.find((name) => name.startsWith("node-")) ?? "";
}

describe("celery inspect", () => {
  it("ping", async () => {
    expect(await inspect("ping()")).toEqual({ ok: "pong" });
  });

  it("report", async () => {
    const answer = { ok: expect.stringContaining(`Node ${process.versions.node}`) };
    expect(await inspect("report()")).toEqual(answer);
    expect(await celeryCommand({ broker: place.url }, ["inspect", "--timeout", "3", "report"])).toContain("taskwright");
  });

  it("registered, stats, active_queues, conf", async () => {
    expect(await inspect("registered()")).toEqual(["node.add", "node.wait"]);
    await place.app.send("node.add", { args: [1, 2] }).result({ timeout: "20s" });
    expect(await inspect("stats()")).toMatchObject({
      pid: process.pid,
      total: { "node.add": 1 },
      pool: { "max-concurrency": 3 },
    });
    expect(await inspect("active_queues()")).toMatchObject([{ name: "node", routing_key: "node" }]);
    expect(await inspect("conf()")).toMatchObject({ task_acks_late: true });
  });

  it("active_queues has all that Python's worker tells of a queue, which monitors count on", async () => {
    const answers = await place.python.eval("app.control.inspect(timeout=2).active_queues()");
    type Told = { readonly exchange: object }[];
    const [ours, pythons] = [true, false].map((isOurs) => {
      const [, told] =
        Object.entries(answers as Record<string, Told>).find(([name]) => name.startsWith("node-") === isOurs) ?? [];
      return [told?.[0], told?.[0]?.exchange].map((one) => Object.keys(one ?? {}).sort());
    });
    expect(pythons?.[0]).toContain("alias");
    expect(ours).toEqual(pythons);
  });

  it("active, reserved, scheduled, query_task, revoked", async () => {
    const started = nextEvent(place.app, "job:started");
    const job = await place.app.send("node.wait", { id: "waits", args: [1], kwargs: { x: 2 } });
    await started;
    const shown = {
      id: "waits",
      name: "node.wait",
      args: [1],
      kwargs: { x: 2 },
      delivery_info: { routing_key: "node" },
    };
    expect(await inspect("active()")).toMatchObject([shown]);
    expect(await inspect("query_task(['waits', 'other'])")).toMatchObject({ waits: ["active", shown] });
    expect(await inspect("reserved()")).toEqual([]);
    expect(await inspect("scheduled()")).toEqual([]);
    await job.cancel();
    await expect(job.result({ timeout: "20s" })).rejects.toMatchObject({ name: "CancelledError" });
    expect(await inspect("revoked()")).toContain("waits");
  });

  it("by name and by pattern", async () => {
    expect(await place.python.eval("app.control.ping(timeout=1, pattern='node-*', matcher='glob')")).toHaveLength(1);
    expect(await place.python.eval("app.control.ping(timeout=1, destination=['nobody@nowhere'])")).toEqual([]);
  });

  it("celery status lists our worker beside Python's", async () => {
    const status = await celeryCommand({ broker: place.url }, ["status", "--timeout", "3"]);
    expect(status).toMatch(/node-\d+-\w+@\S+: OK/);
    expect(status).toMatch(/2 nodes online/);
  });
});

describe("celery control", () => {
  it("revoke: the task never starts, and is REVOKED", async () => {
    await place.python.eval("app.control.revoke('never')");
    await expect.poll(() => inspect("revoked()")).toContain("never");
    await place.app.send("node.add", { id: "never", args: [1, 2] });
    await expect(place.app.job("never").result({ timeout: "20s" })).rejects.toMatchObject({ name: "CancelledError" });
    expect(await place.python.eval("AsyncResult('never').state")).toBe("REVOKED");
  });

  it.each(["True", "1"])("revoke with terminate=%s: the task that runs is told to stop", async (terminate) => {
    const started = nextEvent(place.app, "job:started");
    const job = await place.app.send("node.wait", { id: `stopped-${terminate}` });
    await started;
    // Flower sends a number.
    await place.python.eval(`app.control.revoke('stopped-${terminate}', terminate=${terminate})`);
    await expect(job.result({ timeout: "20s" })).rejects.toMatchObject({ name: "CancelledError" });
  });

  it("job.cancel() here stops a task in Python", async () => {
    const job = await place.app.send("proj.append", { id: "py", args: ["/dev/null", "x", 60] });
    await expect.poll(() => place.worker.log).toContain("proj.append[py] received");
    expect(await job.cancel()).toBe("requested");
    await expect(job.result({ timeout: "20s" })).rejects.toMatchObject({ name: "CancelledError" });
  });

  it("rate_limit", async () => {
    const answers = await place.python.eval("app.control.rate_limit('node.add', '4/s', reply=True, timeout=1)");
    expect(JSON.stringify(answers)).toContain("new rate limit set successfully");
    const began = Date.now();
    const jobs = await place.app.remoteTask<[number, number], number>("node.add", { queue: "node" }).enqueueMany([
      [1, 1],
      [2, 2],
      [3, 3],
    ]);
    expect(await Promise.all(jobs.map((job) => job.result({ timeout: "20s" })))).toEqual([2, 4, 6]);
    expect(Date.now() - began).toBeGreaterThanOrEqual(500);
    const wrong = await place.python.eval("app.control.rate_limit('node.add', 'often', reply=True, timeout=1)");
    expect(JSON.stringify(wrong)).toContain("Invalid rate limit");
    await place.python.eval("app.control.rate_limit('node.add', 0, reply=True, timeout=1)");
  });

  it("heartbeat is answered, and sent", async () => {
    const ours = "[one for one in replies if list(one)[0].startswith('node-')]";
    const asked = "app.control.broadcast('heartbeat', reply=True, timeout=2)";
    expect(await place.python.eval(`(lambda replies: [len(replies), ${ours}])(${asked})`)).toEqual([
      2,
      [{ [await nodename()]: null }],
    ]);
    // Without an answer, the command fails: it says that no node replied.
    const command = ["control", "--timeout", "3", "-d", await nodename(), "heartbeat"];
    expect(await celeryCommand({ broker: place.url }, command)).not.toContain("Error");
    // It comes at once, and not only with the next beat.
    const heard = await place.python.eval(
      "heard(app, {'worker-heartbeat'}, 'node-', lambda: app.control.broadcast('heartbeat'))",
    );
    expect(heard).toContainEqual(expect.objectContaining({ type: "worker-heartbeat", sw_ident: "taskwright" }));
  });

  it("what is not known is an answer, not silence", async () => {
    const answers = await place.python.eval(
      "app.control.broadcast('pool_grow', arguments={'n': 1}, reply=True, timeout=1)",
    );
    expect(JSON.stringify(answers)).toContain("taskwright does not know the command");
  });
});

describe("events", () => {
  it("of tasks and workers reach Celery's receiver", async () => {
    await place.python.eval("app.control.enable_events(reply=True, timeout=1)");
    const wanted = "{'task-received', 'task-started', 'task-succeeded', 'worker-heartbeat'}";
    const then = "lambda: remote('node.add', 1, 2).set(queue='node').apply_async(task_id='told')";
    const heard = await place.python.eval(`heard(app, ${wanted}, 'node-', ${then})`);
    const events = heard as { type: string; uuid?: string; name?: string }[];
    const ofTask = events.filter(({ uuid }) => uuid === "told");
    expect(ofTask.map(({ type }) => type)).toEqual(["task-received", "task-started", "task-succeeded"]);
    expect(ofTask[0]).toMatchObject({ name: "node.add", args: "(1, 2)", kwargs: "{}" });
    expect(events.some(({ type }) => type === "worker-heartbeat")).toBe(true);
  });
});

describe("the states that monitors show", () => {
  /** Each state of a task that runs once, as Celery's own events tell it to Flower and others. */
  const states = async (queue: string, node: string, task: string) => {
    const then = `lambda: remote('${task}', 1, 2).set(queue='${queue}').apply_async(task_id='state-${queue}')`;
    return place.python.eval(
      `states_in(app, 'state-${queue}', heard(app, {'task-succeeded', 'worker-heartbeat'}, '${node}', ${then}))`,
    );
  };

  it("are RECEIVED, STARTED and SUCCESS, as of a worker in Python", async () => {
    await place.python.eval("app.control.enable_events(reply=True, timeout=1)");
    const told = await states("node", "node-", "node.add");
    expect(told).toEqual(["RECEIVED", "STARTED", "SUCCESS"]);
    expect(await states("celery", "celery@", "proj.add")).toEqual(told);
  });
});

describe("shutdown", () => {
  it("ends our worker in order", async () => {
    const stopped = nextEvent(place.app, "worker:stopped");
    await place.python.eval(`app.control.shutdown(destination=['${await nodename()}'])`);
    await stopped;
  });
});
