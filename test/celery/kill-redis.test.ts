import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Taskwright } from "taskwright";
import { beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { compiledSources } from "../support/compiled.js";
import { type RedisServer, startRedis } from "../support/redis/server.js";
import { temporaryFolder } from "../support/temporary.js";
import { until } from "../support/until.js";
import { PythonWorker } from "./python.js";

const WORKER = fileURLToPath(new URL("./fixtures/worker.js", import.meta.url));
/** Seconds. Nothing here takes as long, but what was lost. */
const VISIBILITY = 2;

// Each starts up to three processes, of which Celery takes seconds on a busy machine.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

let redis: RedisServer;
let url: string;
let file: string;

beforeEach(async () => {
  const folder = await temporaryFolder();
  redis = await startRedis();
  onTestFinished(async () => {
    await redis.remove();
    await folder.remove();
  });
  url = `${redis.url}/0`;
  file = join(folder.path, "lines");
});

async function nodeWorker(queues = "celery"): Promise<ChildProcess> {
  const broker = `${url}?visibilityTimeout=${VISIBILITY}s`;
  const child = spawn(process.execPath, [WORKER, await compiledSources(), broker, queues], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  if (child.stdout === null) throw new Error("no pipe");
  await once(child.stdout, "data");
  return child;
}

async function pythonWorker(): Promise<PythonWorker> {
  const place = { broker: url, env: { VISIBILITY: String(VISIBILITY) } };
  const worker = await PythonWorker.open(place, ["-Q", "celery"]);
  onTestFinished(() => worker.kill());
  return worker;
}

function client(): Taskwright<undefined> {
  const app = new Taskwright({ protocol: "celery", broker: url });
  onTestFinished(() => app.close());
  return app;
}

const lines = async (): Promise<string[]> => (await readFile(file, "utf8")).trim().split("\n");
const line = (text: string) => until(text, async () => ((await lines()).includes(text) ? true : undefined));

describe("Node and Python on one queue", () => {
  it("share its jobs, and each runs once", async () => {
    const [python] = await Promise.all([pythonWorker(), nodeWorker()]);
    const app = client();
    const append = app.remoteTask<[string, string, number], string>("proj.append");
    const jobs = await append.enqueueMany(Array.from({ length: 200 }, (_, n) => [file, `job-${n}`, 0.01]));
    await Promise.all(jobs.map((job) => job.result({ timeout: "60s" })));
    const ends = (await lines()).filter((one) => one.startsWith("end"));
    const byNode = ends.filter((one) => one.endsWith("node")).length;
    expect(new Set(ends.map((one) => one.split(" ")[1])).size).toBe(200);
    expect(ends).toHaveLength(200);
    expect(byNode).toBeGreaterThan(0);
    expect(byNode).toBeLessThan(200);
    expect(python.log).toContain("succeeded");
    // Celery acknowledges after it has told the result.
    const unacked = async () => (await redis.ask("HLEN unacked")) === ":0\r\n" || undefined;
    expect(await until("nothing unacknowledged", unacked)).toBe(true);
  });
});

describe("a worker that is killed mid-task", () => {
  it("in Python: Node finishes it", async () => {
    const python = await pythonWorker();
    await client().send("proj.append", { id: "lost", args: [file, "x", 1.5] });
    await line("start x");
    await python.kill();
    await nodeWorker();
    expect(await client().job("lost").result({ timeout: "60s" })).toBe("node");
    expect(await lines()).toEqual(["start x", "start x node", "end x node"]);
  });

  it("in Node: Python finishes it, told by another worker of ours", async () => {
    const victim = await nodeWorker();
    await client().send("proj.append", { id: "lost", args: [file, "x", 1.5] });
    await line("start x node");
    victim.kill("SIGKILL");
    await pythonWorker();
    // It looks after what is lost everywhere, and takes nothing from this queue.
    await nodeWorker("other");
    expect(await client().job("lost").result({ timeout: "60s" })).toBe("x");
    expect(await lines()).toEqual(["start x node", "start x", "end x"]);
  });

  it("in Node: Python finishes it by itself, after its own visibility timeout", async () => {
    const victim = await nodeWorker();
    await client().send("proj.append", { id: "lost", args: [file, "x", 1.5] });
    await line("start x node");
    victim.kill("SIGKILL");
    await until("the visibility timeout", async () => {
      const since = Date.now() / 1000 - VISIBILITY;
      return (await redis.ask(`ZCOUNT unacked_index -inf ${since}`)) === ":1\r\n" ? true : undefined;
    });
    // kombu looks when a worker starts, and then every 100 s.
    await pythonWorker();
    expect(await client().job("lost").result({ timeout: "60s" })).toBe("x");
  });

  it("in Node: another worker of ours finishes it, and it is counted as an attempt", async () => {
    const victim = await nodeWorker();
    await client().send("proj.append", { id: "lost", args: [file, "x", 1.5] });
    await line("start x node");
    victim.kill("SIGKILL");
    await nodeWorker();
    expect(await client().job("lost").result({ timeout: "60s" })).toBe("node");
    expect((await lines()).filter((one) => one.startsWith("start"))).toHaveLength(2);
  });
});
