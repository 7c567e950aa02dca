import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { chmod, symlink, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { findProgram } from "./programs.js";
import { ask } from "./redis/ask.js";
import { startRedis } from "./redis/server.js";
import { type Recipe, startServer } from "./server.js";
import { temporaryFolder } from "./temporary.js";
import { until } from "./until.js";

const OWNER = fileURLToPath(new URL("./fixtures/owner.ts", import.meta.url));
const JITI = fileURLToPath(new URL("../../node_modules/jiti/lib/jiti-cli.mjs", import.meta.url));
const REDIS = { name: "redis-server", package: "redis-server" };

/** The smallest server there is: what holds for it holds for all. */
const RECIPE: Recipe = {
  program: REDIS,
  prepare: async () => {},
  arguments: ({ port }) => ["--port", String(port), "--bind", "127.0.0.1"],
  url: ({ port }) => `redis://127.0.0.1:${port}`,
  ask: async ({ port }) => void (await ask({ port }, "PING")),
};

async function folderOfOneTest(): Promise<string> {
  const folder = await temporaryFolder();
  onTestFinished(() => folder.remove());
  return folder.path;
}

/** Whether somebody listens there, also one who does not answer. */
async function listens(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  const outcome = await once(socket, "connect").then(
    () => true,
    () => false,
  );
  socket.destroy();
  return outcome;
}

describe("a private server", () => {
  test("goes to another port when somebody was faster", async () => {
    const taken: number[] = [];
    const faster = createServer((socket) => socket.destroy());
    onTestFinished(() => void faster.close());
    const prepare: Recipe["prepare"] = async ({ port }) => {
      if (taken.push(port) === 1) await once(faster.listen(port, "127.0.0.1"), "listening");
    };
    const server = await startServer({ ...RECIPE, prepare });
    onTestFinished(() => server.remove());
    expect(taken).toHaveLength(2);
    expect(server.url).toBe(`redis://127.0.0.1:${taken[1]}`);
  });

  test("that ends instead of answering fails its start at once, with the end of its log", async () => {
    const wrong: Recipe = { ...RECIPE, arguments: () => ["--port", "no-port"] };
    await expect(startServer(wrong)).rejects.toThrow(
      /redis-server .* did not start: it ended with exit code 1\n.*no-port/s,
    );
  });

  test("starts once", async () => {
    const server = await startServer(RECIPE);
    onTestFinished(() => server.remove());
    await expect(server.start()).rejects.toThrow("runs already");
  });

  test.each([
    ["was killed with SIGKILL", "killed"],
    ["came to its end", "ended"],
  ])("is over, with its folder, when the process that started it %s", async (_, end) => {
    const owner = spawn(process.execPath, [JITI, OWNER, end], { stdio: ["ignore", "pipe", "inherit"] });
    const over = once(owner, "exit");
    const [line] = await once(createInterface({ input: owner.stdout }), "line");
    const servers: { port: number; socket: string }[] = JSON.parse(line);
    if (end === "killed") {
      for (const { port } of servers) expect(await listens(port)).toBe(true);
      owner.kill("SIGKILL");
    }
    await over;
    expect(servers).toHaveLength(2);
    for (const { port, socket } of servers) {
      await until("nobody listens", async () => ((await listens(port)) ? undefined : true));
      await until("the folder is gone", async () => (existsSync(dirname(socket)) ? undefined : true));
    }
  });
});

describe("a program that is missing", () => {
  afterEach(() => void vi.unstubAllEnvs());

  test("is named with its package", async () => {
    vi.stubEnv("PATH", await folderOfOneTest());
    await expect(startRedis()).rejects.toThrow("redis-server is not installed: apt-get install redis-server");
  });

  test.runIf(process.getuid?.() === 0)("is installed by root, whose failure is told", async () => {
    // The one stand-in here: the real apt-get would change the machine that runs the tests.
    const folder = await folderOfOneTest();
    const apt = join(folder, "apt-get");
    await writeFile(
      apt,
      `#!/bin/sh\necho "$@" >> "${folder}/calls"\n[ "$1" = update ] || exec /bin/sh "${folder}/install"\n`,
    );
    await chmod(apt, 0o755);
    const server = await findProgram(REDIS);
    vi.stubEnv("PATH", folder);
    await writeFile(join(folder, "install"), "echo E: Unable to locate package >&2; exit 100\n");
    await expect(startRedis()).rejects.toThrow(/apt-get install redis-server \(which was tried: .*Unable to locate/s);
    await symlink(server, join(folder, "redis-server.deb"));
    await writeFile(join(folder, "install"), `/bin/mv "${folder}/redis-server.deb" "${folder}/redis-server"\n`);
    expect(await findProgram(REDIS)).toBe(join(folder, "redis-server"));
  });
});
