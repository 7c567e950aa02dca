import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { buildCommandLine, FIXTURES, TASKS, Workplace } from "./command-line.js";

beforeAll(buildCommandLine, 120_000);

let place: Workplace;
beforeEach(async () => {
  place = await Workplace.create();
});
afterEach(() => place.remove());

interface JobJson {
  readonly id: string;
  readonly task: string;
  readonly queue: string;
  readonly state: string;
}

const jobs = async (...args: string[]) => (await place.json(["jobs", ...args])) as JobJson[];

/** Runs a worker until `args`, a command that waits, has ended. */
async function withWorker(args: string[], ...more: string[]) {
  const worker = place.start(["worker", TASKS, ...more]);
  await worker.says(/worker started/);
  const ran = await place.run(args);
  worker.child.kill("SIGTERM");
  expect(await worker.ended).toMatchObject({ code: 0 });
  return ran;
}

describe("tasks", () => {
  it("lists names and options, shared tasks too", async () => {
    const { stdout, code } = await place.run(["tasks", TASKS]);
    expect(code).toBe(0);
    expect(stdout.split("\n").slice(0, 2)).toEqual([
      "TASK           QUEUE    PRIORITY  ATTEMPTS  TIMEOUT",
      "add            default         0         2  10s",
    ]);
    expect(stdout).toMatch(/^mail\.echo +mail +3 +2 +none$/m);
    expect(stdout).toMatch(/^shared\.double /m);
  });

  it("discovers modules, and chooses an app by name", async () => {
    const discovered = await place.json(["tasks", "--discover", `${FIXTURES}/tasks*`]);
    expect((discovered as JobJson[]).map((task) => (task as unknown as { name: string }).name)).toContain("triple");
    expect(await place.json(["tasks", `${join(FIXTURES, "two-apps.ts")}#second`])).toMatchObject([{ name: "greet" }]);
  });

  it("gives JavaScript and TypeScript modules one app", async () => {
    const mixed = join(FIXTURES, "mixed");
    const discovered = await place.json(["tasks", join(mixed, "app.mjs"), "--discover", `${mixed}/*.tasks.ts`]);
    expect(discovered).toMatchObject([{ name: "one" }, { name: "two" }]);
  });

  it("ends although a module keeps something open", async () => {
    expect(await place.run(["tasks", join(FIXTURES, "other.ts")])).toMatchObject({ code: 0, stdout: "no tasks\n" });
  });

  it("needs no app where tasks stand alone", async () => {
    expect(await place.json(["tasks", join(FIXTURES, "tasks-only.mjs")])).toMatchObject([
      { name: "triple", attempts: 3 },
    ]);
  });

  it("lays flags over code, and code over the environment and the file", async () => {
    await writeFile(join(place.folder, "taskwright.config.json"), '{ "defaults": { "attempts": 7, "queue": "file" } }');
    const list = (...args: string[]) =>
      place.json(["tasks", TASKS, ...args]) as Promise<{ attempts: number; queue: string }[]>;
    expect((await list())[0]).toMatchObject({ attempts: 2, queue: "file" });
    const only = (await place.json(["tasks", join(FIXTURES, "tasks-only.mjs")])) as { attempts: number }[];
    expect(only[0]).toMatchObject({ attempts: 7 });
  });
});

describe("run", () => {
  it("runs a task here and prints what it returns", async () => {
    expect(await place.run(["run", "add", "1", "-3", "--app", TASKS])).toMatchObject({
      code: 0,
      stdout: "-2\n",
      stderr: "",
    });
    expect(await place.json(["run", "mail.echo", "1", "two", '{"a":[true]}', "--app", TASKS])).toEqual([
      1,
      "two",
      { a: [true] },
    ]);
    expect(await place.json(["run", "mail.echo", "--args", '[{"b":2}]', "--app", TASKS])).toEqual([{ b: 2 }]);
  });

  it("fails with the task's own error", async () => {
    const { code, stderr } = await place.run(["run", "fail", "boom", "--app", TASKS]);
    expect(code).toBe(1);
    expect(stderr).toBe("error: TypeError: boom (--debug shows where)\n");
    const debug = await place.run(["run", "fail", "boom", "--app", TASKS, "--debug"]);
    expect(debug.stderr).toMatch(/at .*tasks\.ts:\d+/);
  });
});

describe("enqueue", () => {
  it("prints the id, and sends every option", async () => {
    const labels = ["--label", "tenant=a", "--label", "n=1"];
    const options = [
      "--queue",
      "mail",
      "--priority",
      "7",
      "--delay",
      "1h",
      "--attempts",
      "5",
      "--timeout",
      "2s",
      ...labels,
    ];
    const { stdout, code } = await place.run([
      "enqueue",
      "py.task",
      "1",
      "--kwargs",
      '{"x":2}',
      "--id",
      "my-1",
      ...options,
    ]);
    expect({ stdout, code }).toEqual({ stdout: "my-1\n", code: 0 });
    const [job] = await jobs();
    expect(job).toMatchObject({
      id: "my-1",
      task: "py.task",
      args: [1],
      kwargs: { x: 2 },
      queue: "mail",
      priority: 7,
      state: "scheduled",
      maxAttempts: 5,
      timeout: 2000,
      labels: { tenant: "a", n: 1 },
    });
    const again = await place.json(["enqueue", "py.task", "--id", "my-1"]);
    expect(again).toEqual({ id: "my-1", duplicate: true });
  });

  it("takes the task's own options from its code", async () => {
    await place.run(["enqueue", "mail.echo", "--app", TASKS]);
    expect(await jobs()).toMatchObject([{ queue: "mail", priority: 3 }]);
  });

  it("at a time", async () => {
    await place.run(["enqueue", "add", "--at", "2099-01-01T00:00:00Z"]);
    expect(await jobs()).toMatchObject([{ state: "scheduled", dueAt: "2099-01-01T00:00:00.000Z" }]);
  });

  it("waits for the result", async () => {
    expect(await withWorker(["enqueue", "add", "1", "2", "--app", TASKS, "--wait"])).toMatchObject({
      code: 0,
      stdout: "3\n",
    });
  });

  it("waits for no worker where the job has ended", async () => {
    const again = ["enqueue", "add", "1", "2", "--app", TASKS, "--id", "once", "--wait"];
    await withWorker(again);
    expect(await place.run(again)).toMatchObject({ code: 0, stdout: "3\n", stderr: "" });
  });

  it("waits for the error", async () => {
    const { code, stderr } = await withWorker(["enqueue", "fail", "boom", "--wait"]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error: TypeError: boom/);
  });

  it("waits no longer than told", async () => {
    const { code, stderr } = await place.run(["enqueue", "add", "--wait", "50ms"]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^waiting, but no worker is running: start one with `taskwright worker <module>`\n/);
    expect(stderr).toMatch(/did not end within 50ms/);
  });
});

describe("jobs", () => {
  it("lists, filters and limits", async () => {
    for (const task of ["a", "b", "b"]) await place.run(["enqueue", task, "--queue", `q-${task}`]);
    expect((await jobs()).map((job) => job.task)).toEqual(["a", "b", "b"]);
    expect(await jobs("--task", "b", "--limit", "1")).toMatchObject([{ task: "b" }]);
    expect(await jobs("--queue", "q-a")).toMatchObject([{ task: "a" }]);
    expect(await jobs("--state", "dead")).toEqual([]);
    const { stdout, stderr } = await place.run(["jobs", "--limit", "2"]);
    expect(stdout).toMatch(/^JOB +TASK +QUEUE +STATE +ATTEMPT +SINCE +ARGUMENTS\n/);
    expect(stdout.trimEnd().split("\n")).toHaveLength(3);
    expect(stderr).toContain("and more");
  });

  it("shows a completed job's result, progress and log", async () => {
    const { stdout } = await withWorker(["enqueue", "hold", "1", "--app", TASKS, "--id", "held", "--wait"]);
    expect(stdout).toBe("held\n");
    const shown = await place.json(["jobs", "show", "held"]);
    expect(shown).toMatchObject({
      id: "held",
      state: "completed",
      value: "held",
      progress: "holding",
      log: ["held on"],
    });
    const { stdout: text } = await place.run(["jobs", "show", "held"]);
    expect(text).toMatch(/state +completed\n/);
    expect(text).toMatch(/log +held on\n/);
  });

  it("cancels what waits", async () => {
    await place.run(["enqueue", "add", "--id", "one"]);
    const { stdout, code } = await place.run(["jobs", "cancel", "one"]);
    expect({ stdout, code }).toEqual({ stdout: "one cancelled\n", code: 0 });
    expect(await place.json(["jobs", "show", "one"])).toMatchObject({ state: "cancelled" });
    expect((await place.run(["jobs", "cancel", "two"])).code).toBe(4);
  });

  it("cancels what runs", async () => {
    const worker = place.start(["worker", TASKS, "--log-level", "debug"]);
    await worker.says(/worker started/);
    await place.run(["enqueue", "hold", "60000", "--id", "one"]);
    await worker.says(/job started id=one/);
    const { stdout } = await place.run(["jobs", "cancel", "one"]);
    expect(stdout).toBe("one is running and was told to stop\n");
    await worker.says(/job cancelled id=one/);
  });
});

describe("queues", () => {
  it("counts, pauses and resumes", async () => {
    await place.run(["enqueue", "add", "--queue", "mail"]);
    await place.run(["enqueue", "add", "--queue", "mail", "--delay", "1h"]);
    const counts = { queue: "mail", waiting: 1, scheduled: 1, active: 0, dead: 0, retrying: 0 };
    const age = expect.any(Number);
    expect(await place.json(["queues"])).toEqual([{ ...counts, paused: false, oldestAge: age }]);
    expect((await place.run(["queues", "pause", "mail"])).stdout).toBe("mail paused\n");
    expect(await place.json(["queues"])).toMatchObject([{ paused: true }]);
    const { stdout } = await place.run(["queues"]);
    expect(stdout).toMatch(/^QUEUE +WAITING +SCHEDULED +RETRYING +ACTIVE +DEAD +OLDEST\n/);
    expect(stdout).toMatch(/\nmail +1 +1 +0 +0 +0 +\S+ +paused\n$/);
    await place.run(["queues", "resume", "mail"]);
    expect(await place.json(["queues"])).toMatchObject([{ paused: false }]);
  });
});

describe("dead", () => {
  /** Two failed jobs and one of an unknown task. */
  async function kill(): Promise<void> {
    const worker = place.start(["worker", TASKS]);
    await worker.says(/worker started/);
    await place.run(["enqueue", "fail", "boom", "--id", "f1"]);
    await place.run(["enqueue", "nosuch", "--id", "u1"]);
    await place.run(["enqueue", "fail", "bang", "--id", "f2"]);
    await worker.says(/job failed for good id=f1/);
    await worker.says(/job failed for good id=u1/);
    await worker.says(/job failed for good id=f2/);
    worker.child.kill("SIGTERM");
    await worker.ended;
  }
  const dead = async (...args: string[]) =>
    ((await place.json(["dead", ...args])) as JobJson[]).map((job) => job.id).sort();

  it("lists, shows, retries and discards", async () => {
    await kill();
    expect(await dead()).toEqual(["f1", "f2", "u1"]);
    expect(await dead("list", "--reason", "unknown-task")).toEqual(["u1"]);
    expect(await dead("--task", "fail")).toEqual(["f1", "f2"]);
    const { stdout } = await place.run(["dead"]);
    expect(stdout).toMatch(/\nf1 +fail +default +failed +2 +\S+ ago +TypeError: boom\n/);

    const shown = await place.run(["dead", "show", "f1"]);
    expect(shown.stdout).toMatch(/task +fail\('boom'\)\n/);
    expect(shown.stdout).toMatch(/attempt 2, .*\nTypeError: boom\n +at .*tasks\.ts/);

    expect((await place.run(["dead", "retry", "--all", "--reason", "failed"])).stdout).toBe(
      "2 put back into the queue\n",
    );
    expect(await dead()).toEqual(["u1"]);
    expect((await jobs("--state", "waiting")).map((job) => job.id).sort()).toEqual(["f1", "f2"]);

    expect(await place.run(["dead", "show", "f1"])).toMatchObject({
      code: 4,
      stderr: expect.stringContaining("is waiting, not dead"),
    });
    expect((await place.run(["dead", "discard", "f1"])).code).toBe(4);
    expect((await jobs()).length).toBe(3);

    expect((await place.run(["dead", "discard", "u1"])).stdout).toBe("1 deleted\n");
    expect(await dead()).toEqual([]);
  });
});

describe("purge", () => {
  it("says what it would delete, and deletes with --yes", async () => {
    await place.run(["enqueue", "add", "--queue", "mail"]);
    await place.run(["enqueue", "add", "--queue", "other"]);
    const asked = await place.run(["purge", "mail"]);
    expect(asked.code).toBe(2);
    expect(asked.stderr).toBe(
      'error: this deletes from queue "mail": 1 waiting, 0 scheduled, 0 retrying: add --yes to do it\n',
    );
    expect(await jobs()).toHaveLength(2);
    expect((await place.run(["purge", "mail", "--yes"])).stdout).toBe("deleted 1 job of mail\n");
    expect(await jobs()).toMatchObject([{ queue: "other" }]);
  });
});

describe("doctor", () => {
  interface Report {
    readonly ok: boolean;
    readonly checks: readonly { readonly name: string; readonly status: string; readonly detail: string }[];
    readonly settings: readonly { readonly setting: string; readonly from: string }[];
  }

  it("finds nothing wrong, and says where settings come from", async () => {
    await writeFile(join(place.folder, "taskwright.config.json"), '{ "worker": { "lease": "1m" } }');
    const report = (await place.json(["doctor"])) as Report;
    expect(report.ok).toBe(true);
    expect(report.checks.map(({ name }) => name)).toEqual(
      expect.arrayContaining(["node", "taskwright", "sqlite client", "broker"]),
    );
    expect(report.checks.filter(({ status }) => status === "problem")).toEqual([]);
    expect(report.settings).toContainEqual({ setting: "worker.lease", value: 60_000, from: "taskwright.config.json" });
    expect(report.settings).toContainEqual({ setting: "broker", value: place.broker, from: "TASKWRIGHT_BROKER" });
    expect((await place.run(["doctor"])).stdout).toMatch(/^CHECK +STATUS\n/);
    const places = { TASKWRIGHT_QUEUE_PLACES: '{"mail":{"broker":"redis://me:s3cret@localhost"}}' };
    const { stdout } = await place.run(["doctor"], places);
    expect(stdout).toContain("redis://me:***@localhost");
    expect(stdout).not.toContain("s3cret");
  });

  it("sees live workers", async () => {
    const worker = place.start(["worker", TASKS, "--queues", "mail,default"]);
    await worker.says(/worker started/);
    const { checks } = (await place.json(["doctor"])) as Report;
    expect(checks).toContainEqual({
      name: "worker",
      status: "ok",
      detail: expect.stringContaining("queues mail, default"),
    });
  });

  it("ends with 1 when there is no broker", async () => {
    const { code, stdout } = await place.run(["doctor", "--broker", "sqlite:/nonexistent/folder/jobs.db"]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/broker +problem +sqlite:\/nonexistent/);
    expect(stdout).toContain("1 problem to solve.");
  });
});
