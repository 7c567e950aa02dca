import { execFileSync, spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import type { Place } from "./drivers.js";

const SETTINGS = ["--save", "", "--appendonly", "no"];

/** It ends when its standard input does, so it does not outlive the runner, however that ends. */
const UNTIL_RUNNER_ENDS = 'redis-server "$@" & cat >/dev/null; kill $!; wait $!';

/** A server that is up within this time, in ms, is up at once on any machine. */
const PATIENCE = 10_000;

/** What is said of the servers to the reader. */
export function describeRedis(): string {
  const version = /v=(\S+)/.exec(execFileSync("redis-server", ["--version"], { encoding: "utf8" }))?.[1];
  return `redis-server ${version ?? "of unknown version"}: save "", appendonly no, a fresh one for each measure of each`;
}

/** A server with nothing in it, on a free port, which writes nothing to disk. */
export async function freshRedis(): Promise<Place> {
  const folder = await mkdtemp(join(tmpdir(), "taskwright-bench-"));
  const port = await freePort();
  const where = ["--port", String(port), "--bind", "127.0.0.1", "--dir", folder, "--logfile", join(folder, "log")];
  const server = spawn("sh", ["-c", UNTIL_RUNNER_ENDS, "sh", ...where, ...SETTINGS], {
    stdio: ["pipe", "ignore", "ignore"],
  });
  const ended = new Promise((resolve) => server.once("exit", resolve));
  const client = await connect(port, join(folder, "log"));
  const atStart = await usedMemory(client);
  return {
    address: `redis://127.0.0.1:${port}`,
    oneProcess: false,
    bytes: async () => (await usedMemory(client)) - atStart,
    remove: async () => {
      client.disconnect();
      server.stdin.end();
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function connect(port: number, log: string): Promise<Redis> {
  const client = new Redis(port, "127.0.0.1", { retryStrategy: () => 5, maxRetriesPerRequest: null });
  client.on("error", () => {});
  const timeout = new Promise<never>((_, reject) => {
    const fail = async (): Promise<void> => {
      client.disconnect();
      reject(new Error(`redis-server did not start:\n${await readFile(log, "utf8").catch(() => "it wrote no log")}`));
    };
    const timer = setTimeout(fail, PATIENCE);
    client.once("ready", () => clearTimeout(timer));
  });
  await Promise.race([client.ping(), timeout]);
  return client;
}

async function usedMemory(client: Redis): Promise<number> {
  return Number(/used_memory:(\d+)/.exec(await client.info("memory"))?.[1]);
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => {
        if (address === null || typeof address === "string") reject(new Error("no free port"));
        else resolve(address.port);
      });
    });
  });
}
