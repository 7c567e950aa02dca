import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { CLIENTS, complete, connect, consume, openClient, temporaryFile } from "./support.js";

const CHILD = fileURLToPath(new URL("./crash-child.ts", import.meta.url));
const JITI = fileURLToPath(new URL("../../../node_modules/jiti/lib/jiti-cli.mjs", import.meta.url));

/** Starts a process that publishes, or works, and writes a line for each thing that was acknowledged. */
function start(role: "publish" | "work", path: string, client: string): ChildProcess {
  return spawn(process.execPath, [JITI, CHILD, role, path, client], { stdio: ["ignore", "pipe", "inherit"] });
}

/** Reads lines until there are `count`, kills the process with SIGKILL, and answers all that it had written by then. */
async function killAfter(child: ChildProcess, count: number): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
    if (lines.push(line) === count) child.kill("SIGKILL");
  }
  return lines;
}

describe.each(CLIENTS)("a process killed with SIGKILL, through %s", (client) => {
  test("while it publishes loses nothing that was acknowledged, and leaves no half of a batch", async () => {
    const path = temporaryFile();
    await (await connect({ path, client })).close();
    const acknowledged: string[] = [];
    for (const count of [3, 20, 57]) acknowledged.push(...(await killAfter(start("publish", path, client), count)));

    const connection = await connect({ path, client });
    const kept = await connection.inspector.find(acknowledged.flatMap((batch) => batch.split(" ")));
    expect(kept.length).toBeGreaterThanOrEqual(80 * 7);
    expect(kept.filter((job) => job?.state !== "waiting")).toEqual([]);
    const [summary] = await connection.inspector.queues();
    expect((summary?.counts.waiting ?? 1) % 7).toBe(0);
    const check = openClient(client, path).prepare("PRAGMA integrity_check").all([]);
    expect(Object.values(check[0] ?? {})[0]).toBe("ok");
  });

  test("while it works leaves its jobs to others, each ended exactly once", async () => {
    const path = temporaryFile();
    const connection = await connect({ path, client });
    const ids = Array.from({ length: 500 }, (_, index) => `job-${index}`);
    await connection.broker.publish(
      ids.map((id) => ({ id, queue: "default", priority: 0, task: "t", body: Buffer.from(id) })),
    );
    const settled = (await killAfter(start("work", path, client), 10)).flatMap((batch) => batch.split(" "));

    const [summary] = await connection.inspector.queues();
    const open = (summary?.counts.waiting ?? 0) + (summary?.counts.active ?? 0);
    expect(open).toBeLessThanOrEqual(ids.length - settled.length);
    // Its leases were of 1 ms, so they have passed.
    await connection.broker.sweep({ max: 1000, delay: 0, jitter: 0 });
    const consumer = await consume(connection);
    const rest = await consumer.claim({ queues: ["default"], max: 1000, wait: 0 });
    expect(rest.length).toBe(open);
    await consumer.settle(rest.map((lease) => complete(lease, "by another")));
    const outcomes = await connection.backend.read(ids);
    expect(outcomes.filter((outcome) => outcome?.state !== "completed")).toEqual([]);
    const bySettler = settled.map((id) => Buffer.from(outcomes[ids.indexOf(id)]?.body ?? []).toString());
    expect(new Set(bySettler)).toEqual(new Set(["by the killed"]));
  });
});
