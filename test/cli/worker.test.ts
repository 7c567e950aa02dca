import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { buildCommandLine, FIXTURES, type Running, TASKS, Workplace } from "./command-line.js";

beforeAll(buildCommandLine, 120_000);

let place: Workplace;
beforeEach(async () => {
  place = await Workplace.create();
});
afterEach(() => place.remove());

async function startWorker(...args: string[]): Promise<Running> {
  const worker = place.start(["worker", TASKS, "--log-level", "debug", ...args]);
  await worker.says(/worker started/);
  return worker;
}

describe("the worker's banner", () => {
  it("says what runs where, on stderr", async () => {
    const worker = await startWorker("--queues", "mail=5,default=1", "--concurrency", "7");
    worker.child.kill("SIGTERM");
    const { stdout, stderr } = await worker.ended;
    expect(stdout).toBe("");
    expect(stderr).toMatch(/^taskwright \d+\.\d+\.\d+\n/);
    expect(stderr).toContain(`broker       ${place.broker}\n`);
    expect(stderr).toMatch(/queues +mail=5, default=1\n/);
    expect(stderr).toMatch(/concurrency +7\n/);
    expect(stderr).toMatch(/tasks +add, deaf, fail, hold, mail\.echo, shared\.double\n/);
  });

  it("is a JSON line in JSON logs, like every other line", async () => {
    const worker = await startWorker("--log-format", "json");
    await place.run(["enqueue", "fail", "boom", "--id", "f1"]);
    await worker.says(/job failed for good/);
    worker.child.kill("SIGTERM");
    const { stderr } = await worker.ended;
    const lines = stderr
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines[0]).toMatchObject({
      level: "info",
      message: "taskwright worker",
      queues: ["default"],
      concurrency: 100,
    });
    expect(lines.find((line) => line.message === "job failed for good")).toMatchObject({
      level: "error",
      id: "f1",
      task: "fail",
      attempt: 2,
      reason: "failed",
      error: { name: "TypeError", message: "boom", stack: expect.stringContaining("tasks.ts") },
    });
  });

  it("only logs from the level up", async () => {
    const worker = place.start(["worker", TASKS, "--log-level", "error"]);
    await worker.says(/pid/);
    expect(await place.run(["enqueue", "add", "1", "2", "--wait"])).toMatchObject({ stdout: "3\n" });
    worker.child.kill("SIGTERM");
    const { stderr } = await worker.ended;
    expect(stderr).not.toContain("INFO");
  });
});

describe("the worker", () => {
  it("runs tasks of several modules, shared ones too", async () => {
    const worker = await startWorker(join(FIXTURES, "tasks-only.mjs"));
    expect((await place.run(["enqueue", "triple", "5", "--wait"])).stdout).toBe("15\n");
    expect((await place.run(["enqueue", "shared.double", "5", "--wait"])).stdout).toBe("10\n");
    worker.child.kill("SIGTERM");
    expect(await worker.ended).toMatchObject({ code: 0 });
  });

  it("works on the queues it was given", async () => {
    const worker = await startWorker("--queues", "mail");
    await place.run(["enqueue", "add", "1", "2"]);
    expect((await place.run(["enqueue", "mail.echo", "1", "--queue", "mail", "--wait", "--json"])).code).toBe(0);
    worker.child.kill("SIGTERM");
    await worker.ended;
    expect(await place.json(["queues"])).toMatchObject([{ queue: "default", waiting: 1 }]);
  });
});

describe("stopping", () => {
  it.each(["SIGTERM", "SIGINT"] as const)("the first %s lets running jobs finish, and exits 0", async (signal) => {
    const worker = await startWorker();
    await place.run(["enqueue", "hold", "400", "--id", "one"]);
    await worker.says(/job started id=one/);
    worker.child.kill(signal);
    const { code, stderr } = await worker.ended;
    expect(code).toBe(0);
    expect(stderr).toMatch(/stopping.*\n(.*\n)*.*job completed id=one/);
    expect(await place.json(["jobs", "show", "one"])).toMatchObject({ state: "completed" });
  });

  it("gives back what the grace period does not suffice for, uncounted", async () => {
    const worker = await startWorker("--grace", "100ms");
    await place.run(["enqueue", "hold", "60000", "--id", "one"]);
    await worker.says(/job started id=one/);
    worker.child.kill("SIGTERM");
    expect((await worker.ended).code).toBe(0);
    expect(await place.json(["jobs"])).toMatchObject([{ id: "one", state: "waiting", attempt: 0 }]);
  });

  it("does not wait for a handler that ignores its signal", async () => {
    const worker = await startWorker("--grace", "100ms");
    await place.run(["enqueue", "deaf", "600000", "--id", "one"]);
    await worker.says(/job started id=one/);
    worker.child.kill("SIGTERM");
    expect((await worker.ended).code).toBe(0);
    expect(await place.json(["jobs"])).toMatchObject([{ id: "one", state: "waiting", attempt: 0 }]);
  });

  it.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)("a second %s gives everything back and exits at once with %d", async (signal, code) => {
    const worker = await startWorker("--grace", "1h");
    await place.run(["enqueue", "hold", "60000", "--id", "one"]);
    await worker.says(/job started id=one/);
    worker.child.kill("SIGTERM");
    await worker.says(/a second signal ends them/);
    worker.child.kill(signal);
    expect((await worker.ended).code).toBe(code);
    expect(await place.json(["jobs"])).toMatchObject([{ id: "one", state: "waiting", attempt: 0 }]);
  });
});
