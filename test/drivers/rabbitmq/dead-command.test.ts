import { join } from "node:path";
import { beforeAll, expect, onTestFinished, test } from "vitest";
import { buildCommandLine, TASKS, Workplace } from "../../cli/command-line.js";
import { place } from "./support.js";

beforeAll(buildCommandLine, 120_000);

test("dead letters of RabbitMQ are listed, shown, retried and discarded by the command line", async () => {
  const work = await Workplace.create();
  onTestFinished(() => work.remove());
  const env = { TASKWRIGHT_BROKER: await place(), TASKWRIGHT_BACKEND: `sqlite:${join(work.folder, "results.db")}` };
  const run = (...args: string[]) => work.run(args, env);
  const dead = async (...args: string[]) => {
    const { stdout } = await run("dead", ...args, "--json");
    return (JSON.parse(stdout) as { id: string }[]).map(({ id }) => id).sort();
  };
  const worker = work.start(["worker", TASKS], env);
  await worker.says(/worker started/);
  for (const [id, ...call] of [
    ["f1", "fail", "boom"],
    ["f2", "fail", "bang"],
    ["u1", "nosuch"],
  ]) {
    expect(await run("enqueue", ...call, "--id", id ?? "")).toMatchObject({ code: 0 });
    await worker.says(new RegExp(`job failed for good id=${id}`));
  }
  worker.child.kill("SIGTERM");
  await worker.ended;

  expect(await dead()).toEqual(["f1", "f2", "u1"]);
  expect(await dead("list", "--reason", "unknown-task")).toEqual(["u1"]);
  expect((await run("dead")).stdout).toMatch(/\nf1 +fail +default +failed +2 +\S+ ago +TypeError: boom\n/);
  expect((await run("dead", "show", "f1")).stdout).toMatch(/attempt 2, .*\nTypeError: boom\n +at .*tasks\.ts/);
  expect(await run("dead", "discard", "f1")).toMatchObject({ code: 0, stdout: "1 deleted\n" });
  expect((await run("dead", "retry", "--all", "--reason", "failed")).stdout).toBe("1 put back into the queue\n");
  expect(await dead()).toEqual(["u1"]);
  expect((await run("dead", "retry", "f1")).code).toBe(4);
  const queues = JSON.parse((await run("queues", "--json")).stdout);
  expect(queues).toMatchObject([{ queue: "default", waiting: 1, dead: 1 }]);
}, 60_000);

test("dead letters of a queue that is elsewhere, on a RabbitMQ that knows no names, are found there too", async () => {
  const work = await Workplace.create();
  onTestFinished(() => work.remove());
  const env = {
    TASKWRIGHT_BROKER: `sqlite:${join(work.folder, "own.db")}`,
    TASKWRIGHT_QUEUE_PLACES: JSON.stringify({ bills: { broker: await place() } }),
  };
  const worker = work.start(["worker", TASKS, "--queues", "bills"], env);
  await worker.says(/worker started/);
  expect(await work.run(["enqueue", "nosuch", "--queue", "bills"], env)).toMatchObject({ code: 0 });
  await worker.says(/job failed for good/);
  worker.child.kill("SIGTERM");
  await worker.ended;

  const dead = async () => JSON.parse((await work.run(["dead", "--app", TASKS, "--json"], env)).stdout);
  expect(await dead()).toMatchObject([{ queue: "bills", reason: "unknown-task" }]);
  expect((await work.run(["dead", "discard", "--all", "--app", TASKS], env)).stdout).toBe("1 deleted\n");
  expect(await dead()).toEqual([]);
}, 60_000);
