import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { connect } from "node:net";
import { Redis } from "ioredis";
import { describe, expect, onTestFinished, test } from "vitest";
import { type RedisOptions, startRedis } from "./server.js";
import { redisPlace } from "./shared.js";

async function start(options: RedisOptions = {}) {
  const server = await startRedis(options);
  onTestFinished(() => server.remove());
  return server;
}

describe("a private Redis", () => {
  test("answers when its start resolves, and is gone with its folder when it is removed", async () => {
    const server = await start();
    expect(server.version).toMatch(/^redis-server \d+\.\d+/);
    expect(server.url).toBe(`redis://127.0.0.1:${server.port}`);
    expect(await server.ask("PING")).toBe("+PONG\r\n");
    await server.remove();
    await expect(server.ask("PING")).rejects.toThrow("ECONNREFUSED");
    expect(existsSync(server.socket)).toBe(false);
  });

  test("with appendonly keeps its data and its port over a restart and a SIGKILL", async () => {
    const server = await start({ appendonly: "always" });
    await server.ask("SET a 1");
    await server.restart();
    expect(await server.ask("GET a")).toBe("$1\r\n1\r\n");
    await server.ask("SET a 2");
    await server.kill("SIGKILL");
    await expect(server.ask("PING")).rejects.toThrow("ECONNREFUSED");
    await server.start();
    expect(await server.ask("GET a")).toBe("$1\r\n2\r\n");
  });

  test("without appendonly comes back empty", async () => {
    const server = await start();
    await server.ask("SET a 1");
    await server.restart();
    expect(await server.ask("GET a")).toBe("$-1\r\n");
  });

  test("is held by SIGSTOP, takes connections meanwhile, and goes on after SIGCONT", async () => {
    const server = await start();
    await server.kill("SIGSTOP");
    const socket = connect(server.port, "127.0.0.1");
    onTestFinished(() => void socket.destroy());
    await new Promise((resolve) => socket.once("connect", resolve));
    await expect(server.ask("PING")).rejects.toThrow("no answer within 1000 ms");
    await server.kill("SIGCONT");
    expect(await server.ask("PING")).toBe("+PONG\r\n");
  });

  test("ends in order also when SIGSTOP holds it", async () => {
    const server = await start();
    await server.kill("SIGSTOP");
    await server.stop();
    await expect(server.kill("SIGKILL")).rejects.toThrow("does not run: it ended with exit code 0");
  });

  test("takes a password, TLS and lines of configuration, and a client gets in by its url", async () => {
    const server = await start({ password: "p:w/d", tls: true, config: ["maxmemory 10mb"] });
    const tls = { ca: await readFile(server.ca ?? "") };
    const client = new Redis(server.url, { tls });
    onTestFinished(() => client.disconnect());
    expect(await client.config("GET", "maxmemory")).toContain("10485760");
    expect(server.url).toMatch(/^rediss:\/\/:p%3Aw%2Fd@/);
  });

  test("listens on a unix socket", async () => {
    const { socket } = await start();
    const client = new Redis(socket);
    onTestFinished(() => client.disconnect());
    expect(await client.ping()).toBe("PONG");
  });

  test("that cannot start says what its log says", async () => {
    await expect(startRedis({ config: ["nonsense 1"] })).rejects.toThrow(/exit code 1.*Bad directive/s);
  });

  test("is shared by the places of a process", async () => {
    const [one, two] = await Promise.all([redisPlace(), redisPlace()]);
    expect(one).toMatch(/^redis:\/\/127\.0\.0\.1:\d+\?prefix=case-1$/);
    expect(two).toBe(one.replace("case-1", "case-2"));
  });
});
