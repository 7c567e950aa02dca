import { beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { type RedisServer, startRedis } from "../support/redis/server.js";
import { until } from "../support/until.js";
import { type KillPlace, killPlace, lineIn, linesIn, nodeWorker, producer, pythonWorker } from "./killing.js";

/** Seconds. Nothing here takes as long, but what was lost. */
const VISIBILITY = 2;

// Each starts up to three processes, of which Celery takes seconds on a busy machine.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

let redis: RedisServer;
let place: KillPlace;

beforeEach(async () => {
  redis = await startRedis();
  onTestFinished(() => redis.remove());
  const url = `${redis.url}/0`;
  place = await killPlace({
    python: { broker: url, env: { VISIBILITY: String(VISIBILITY) } },
    broker: `${url}?visibilityTimeout=${VISIBILITY}s`,
    backend: url,
  });
});

const lines = () => linesIn(place);
const line = (text: string) => lineIn(place, text);

describe("Node and Python on one queue", () => {
  it("share its jobs, and each runs once", async () => {
    const [python] = await Promise.all([pythonWorker(place), nodeWorker(place)]);
    const app = producer(place);
    const append = app.remoteTask<[string, string, number], string>("proj.append");
    const jobs = await append.enqueueMany(Array.from({ length: 200 }, (_, n) => [place.file, `job-${n}`, 0.01]));
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
    const app = producer(place);
    const python = await pythonWorker(place);
    await app.send("proj.append", { id: "lost", args: [place.file, "x", 1.5] });
    await line("start x");
    await python.kill();
    await nodeWorker(place);
    expect(await app.job("lost").result({ timeout: "60s" })).toBe("node");
    expect(await lines()).toEqual(["start x", "start x node", "end x node"]);
  });

  it("in Node: Python finishes it, told by another worker of ours", async () => {
    const app = producer(place);
    const victim = await nodeWorker(place);
    await app.send("proj.append", { id: "lost", args: [place.file, "x", 1.5] });
    await line("start x node");
    victim.kill("SIGKILL");
    await pythonWorker(place);
    // It looks after what is lost everywhere, and takes nothing from this queue.
    await nodeWorker(place, "other");
    expect(await app.job("lost").result({ timeout: "60s" })).toBe("x");
    expect(await lines()).toEqual(["start x node", "start x", "end x"]);
  });

  it("in Node: Python finishes it by itself, after its own visibility timeout", async () => {
    const app = producer(place);
    const victim = await nodeWorker(place);
    await app.send("proj.append", { id: "lost", args: [place.file, "x", 1.5] });
    await line("start x node");
    victim.kill("SIGKILL");
    await until("the visibility timeout", async () => {
      const since = Date.now() / 1000 - VISIBILITY;
      return (await redis.ask(`ZCOUNT unacked_index -inf ${since}`)) === ":1\r\n" ? true : undefined;
    });
    // kombu looks when a worker starts, and then every 100 s.
    await pythonWorker(place);
    expect(await app.job("lost").result({ timeout: "60s" })).toBe("x");
  });

  it("in Node: another worker of ours finishes it, and it is counted as an attempt", async () => {
    const app = producer(place);
    const victim = await nodeWorker(place);
    await app.send("proj.append", { id: "lost", args: [place.file, "x", 1.5] });
    await line("start x node");
    victim.kill("SIGKILL");
    await nodeWorker(place);
    expect(await app.job("lost").result({ timeout: "60s" })).toBe("node");
    expect((await lines()).filter((one) => one.startsWith("start"))).toHaveLength(2);
  });
});
