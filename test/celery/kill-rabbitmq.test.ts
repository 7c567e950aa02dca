import { beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { rabbitmqPlace } from "../support/rabbitmq/shared.js";
import { type KillPlace, killPlace, lineIn, linesIn, nodeWorker, producer, pythonWorker } from "./killing.js";

// Each starts up to three processes, of which Celery takes seconds on a busy machine.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

let place: KillPlace;

beforeEach(async () => {
  const { url, remove } = await rabbitmqPlace();
  onTestFinished(remove);
  place = await killPlace({ python: { broker: url, backend: "rpc://" }, broker: url, backend: "rpc://" });
});

const lines = () => linesIn(place);
const line = (text: string) => lineIn(place, text);

describe("Node and Python on one queue of RabbitMQ", () => {
  it("share its jobs, and each runs once", async () => {
    await Promise.all([pythonWorker(place), nodeWorker(place)]);
    const append = producer(place).remoteTask<[string, string, number], string>("proj.append");
    const jobs = await append.enqueueMany(Array.from({ length: 200 }, (_, n) => [place.file, `job-${n}`, 0.01]));
    await Promise.all(jobs.map((job) => job.result({ timeout: "60s" })));
    const ends = (await lines()).filter((one) => one.startsWith("end"));
    const byNode = ends.filter((one) => one.endsWith("node")).length;
    expect(new Set(ends.map((one) => one.split(" ")[1])).size).toBe(200);
    expect(ends).toHaveLength(200);
    expect(byNode).toBeGreaterThan(0);
    expect(byNode).toBeLessThan(200);
  });
});

describe("a worker on RabbitMQ that is killed mid-task", () => {
  it("in Python: Node finishes it", async () => {
    const python = await pythonWorker(place);
    const job = await producer(place).send("proj.append", { args: [place.file, "x", 1.5] });
    await line("start x");
    await python.kill();
    await nodeWorker(place);
    expect(await job.result({ timeout: "60s" })).toBe("node");
    expect(await lines()).toEqual(["start x", "start x node", "end x node"]);
  });

  it("in Node: Python finishes it", async () => {
    const victim = await nodeWorker(place);
    const job = await producer(place).send("proj.append", { args: [place.file, "x", 1.5] });
    await line("start x node");
    victim.kill("SIGKILL");
    await pythonWorker(place);
    expect(await job.result({ timeout: "60s" })).toBe("x");
    expect(await lines()).toEqual(["start x node", "start x", "end x"]);
  });

  it("in Node: another worker of ours finishes it", async () => {
    const victim = await nodeWorker(place);
    const job = await producer(place).send("proj.append", { args: [place.file, "x", 1.5] });
    await line("start x node");
    victim.kill("SIGKILL");
    await nodeWorker(place);
    expect(await job.result({ timeout: "60s" })).toBe("node");
    expect(await lines()).toEqual(["start x node", "start x node", "end x node"]);
  });

  it("first in Node and then in Python: who is left finishes it", async () => {
    const victim = await nodeWorker(place);
    const job = await producer(place).send("proj.append", { args: [place.file, "x", 1.5] });
    await line("start x node");
    victim.kill("SIGKILL");
    const python = await pythonWorker(place);
    await line("start x");
    await python.kill();
    await nodeWorker(place);
    expect(await job.result({ timeout: "60s" })).toBe("node");
  });
});
