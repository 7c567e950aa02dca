import { spawnSync } from "node:child_process";
import { cp } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Redis } from "ioredis";
import { describe, expect, onTestFinished, test } from "vitest";
import { driverFromUrl } from "../../../src/drivers/index.js";
import { fromUrl, type RedisOptions, redis } from "../../../src/drivers/redis/index.js";
import { parseUrl, resolveOptions } from "../../../src/drivers/redis/options.js";
import { ConfigError } from "../../../src/job/errors.js";
import { compiledSources } from "../../support/compiled.js";
import { temporaryFolder } from "../../support/temporary.js";

const local = { host: "127.0.0.1", port: 6379 };
const one = { kind: "standalone", db: 0 };

describe("redis URLs", () => {
  test.each([
    ["redis://", { ...one, nodes: [local] }],
    ["redis://localhost", { ...one, nodes: [{ host: "localhost", port: 6379 }] }],
    ["REDIS://localhost:7000/", { ...one, nodes: [{ host: "localhost", port: 7000 }] }],
    ["redis://[::1]:7000/3", { ...one, nodes: [{ host: "::1", port: 7000 }], db: 3 }],
    ["redis://127.0.0.1?sentinelPassword=a@b", { ...one, nodes: [local], sentinelPassword: "a@b" }],
    ["redis://127.0.0.1?db=3", { ...one, nodes: [local], db: 3 }],
    ["redis://:p%40ss%2Fw%3Ard%25@127.0.0.1", { ...one, nodes: [local], password: "p@ss/w:rd%" }],
    ["redis://me:a:b@127.0.0.1", { ...one, nodes: [local], username: "me", password: "a:b" }],
    ["redis://me%40here@127.0.0.1", { ...one, nodes: [local], username: "me@here" }],
    ["rediss://127.0.0.1", { ...one, nodes: [local], tls: {} }],
    ["valkey://127.0.0.1", { ...one, nodes: [local] }],
    ["valkeys://127.0.0.1", { ...one, nodes: [local], tls: {} }],
    ["redis+unix:///run/my%20redis.sock", { ...one, nodes: [], path: "/run/my redis.sock" }],
    [
      "redis+unix://me:pw@/run/redis.sock?db=2",
      { ...one, nodes: [], path: "/run/redis.sock", db: 2, username: "me", password: "pw" },
    ],
    [
      "redis+sentinel://:pw@a,b:7000/my%20main/2?sentinelPassword=s",
      {
        kind: "sentinel",
        nodes: [
          { host: "a", port: 26379 },
          { host: "b", port: 7000 },
        ],
        primary: "my main",
        password: "pw",
        sentinelPassword: "s",
        db: 2,
      },
    ],
    [
      "rediss+sentinel://a/main?db=1",
      { kind: "sentinel", nodes: [{ host: "a", port: 26379 }], primary: "main", db: 1, tls: {} },
    ],
    [
      "redis+cluster://a,b:7000/0",
      {
        kind: "cluster",
        nodes: [
          { host: "a", port: 6379 },
          { host: "b", port: 7000 },
        ],
        db: 0,
      },
    ],
    [
      "rediss+cluster://me:pw@a",
      { kind: "cluster", nodes: [{ host: "a", port: 6379 }], db: 0, tls: {}, username: "me", password: "pw" },
    ],
  ])("%s", async (url, address) => {
    expect(parseUrl(url).address).toEqual(address);
    expect((await driverFromUrl(url)).name).toBe("redis");
  });

  test("carry options, and those given beside win", () => {
    const url = "redis://h?prefix=shop&timeout=2s&maxBytes=1000";
    expect(resolveOptions({ url })).toMatchObject({ prefix: "shop", timeout: 2000, maxBytes: 1000 });
    expect(resolveOptions({ url, prefix: "mine" })).toMatchObject({ prefix: "mine", timeout: 2000 });
  });

  test.each([
    ["redis://h?prefx=a", 'unknown option "prefx" in the redis URL: did you mean "prefix"?'],
    ["redis://h?maxbytes=a", 'unknown option "maxbytes" in the redis URL: did you mean "maxBytes"?'],
    ["redis://h:99999", '"redis://h:99999" has a host that is not host or host:port'],
    ["redis://h:0", '"redis://h:0" has a host that is not host or host:port'],
    ["redis://h:port", '"redis://h:port" has a host that is not host or host:port'],
    ["redis+cluster://a,,b", '"redis+cluster://a,,b" has a host that is not host or host:port'],
    ["redis://a,b", '"redis://a,b" has several hosts: write redis+cluster:// or redis+sentinel://'],
    ["redis://h/main", 'the database in "redis://h/main" is not a number: write redis://localhost:6379/0'],
    ["redis://h/0/1", 'the database in "redis://h/0/1" is not a number'],
    ["redis://h?db=-1", 'the database in "redis://h?db=-1" is not a number'],
    ["redis+cluster://a/1", 'a Redis cluster has only database 0: leave it out of "redis+cluster://a/1"'],
    ["redis+cluster://a?db=1", "a Redis cluster has only database 0"],
    [
      "redis+sentinel://a",
      '"redis+sentinel://a" does not name the primary: write redis+sentinel://host:26379/mymaster',
    ],
    ["redis+sentinel://a/main/x", "the database in"],
    ["redis+unix://", '"redis+unix://" has no path: write redis+unix:///path/of/socket'],
    ["redis+unix://run/redis.sock", "has no path"],
    ["valkey+cluster://a", '"valkey+cluster://a" is not a redis URL: write redis://user:password@localhost:6379/0'],
    ["localhost:6379", '"localhost:6379" is not a redis URL'],
    ["redis://:100%@h", '"redis://:***@h" is not well encoded: write a percent sign as %25'],
    ["redis://h?timeout=soon", 'timeout is "soon", which is not a duration'],
    ["redis://h?maxBytes=much", "maxBytes cannot be NaN: a whole number from 1 to 536870912"],
    ["redis://h?maxBytes=536870913", "maxBytes cannot be 536870913"],
    ["redis://h?prefix=a{b}", 'prefix cannot be "a{b}": 1 to 100 characters without braces or blanks'],
    ["redis://h?prefix=", 'prefix cannot be ""'],
  ])("%s is refused", (url, message) => {
    expect(() => fromUrl(url)).toThrow(ConfigError);
    expect(() => fromUrl(url)).toThrow(message);
  });

  test.each([
    ["redis://me:s3cret@h/1", "redis://me:***@h/1"],
    [
      "redis+sentinel://:s3cret@a:1,b:2/main?sentinelPassword=s3cret",
      "redis+sentinel://:***@a:1,b:2/main?sentinelPassword=***",
    ],
    ["rediss+cluster://me:s3cret@a:1,b:2,c", "rediss+cluster://me:***@a:1,b:2,c"],
    ["redis+unix://:s3cret@/run/redis.sock", "redis+unix://:***@/run/redis.sock"],
  ])("%s is shown without its secrets", (url, location) => {
    expect(fromUrl(url).location).toBe(location);
  });

  test.each([
    "redis://me:s3cret/s3cret@h",
    "redis://me:s3cret@s3cret@h",
    "redis+cluster://me:s3cret/s3cret@a:1,b:2",
    "redis+cluster://me:s3cret?s3cret@a:1,b:2",
    "redis+sentinel://me:s3cret#s3cret@a:1,b:2/main",
  ])("%s, with a password that is not encoded, is refused without showing it", (url) => {
    const error = thrownBy(() => fromUrl(url));
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).not.toContain("s3cret");
  });
});

describe("redis options", () => {
  test("have defaults", () => {
    const settings = { prefix: "taskwright", timeout: 10_000, maxBytes: 1_048_576, location: "redis://127.0.0.1:6379" };
    expect(resolveOptions({})).toMatchObject(settings);
    expect(redis("redis://h").location).toBe("redis://h");
  });

  test("tls goes with a url of any kind", () => {
    expect(resolveOptions({ url: "rediss+cluster://a", tls: { ca: "x" } }).address).toMatchObject({ tls: { ca: "x" } });
  });

  test.each<[object, string]>([
    [{ host: "h" }, 'unknown option "host" in redis(); there are'],
    [{ prefx: "a" }, 'unknown option "prefx" in redis(): did you mean "prefix"?'],
    [{ url: "redis://h", client: {} }, "redis() takes a url or a client, not both"],
    [{ tls: {}, client: {} }, "redis() takes tls with a url: a client has its own"],
    [{ client: {} }, "client is no ioredis client: give a `new Redis(...)` or `new Cluster(...)` of ioredis"],
    [{ client: null }, "client is no ioredis client"],
    [{ prefix: 5 }, 'prefix cannot be "5": 1 to 100 characters without braces or blanks'],
    [{ timeout: -1 }, "timeout is -1, but a duration cannot be negative"],
    [{ maxBytes: 1.5 }, "maxBytes cannot be 1.5: a whole number from 1"],
  ])("%o are refused", (options, message) => {
    expect(() => redis(options as RedisOptions)).toThrow(ConfigError);
    expect(() => redis(options as RedisOptions)).toThrow(message);
  });

  test("take a client, whose address is not told", () => {
    const client = new Redis("redis://:s3cret@127.0.0.1:1/2", { lazyConnect: true });
    expect(resolveOptions({ client })).toMatchObject({ address: client, location: "redis: (the given client)" });
  });
});

test("a missing ioredis is named with the command that installs it", async () => {
  const folder = await temporaryFolder();
  onTestFinished(() => folder.remove());
  const sources = await compiledSources();
  // From here no node_modules can be seen.
  for (const part of ["drivers/redis/client", "drivers/redis/errors.js", "job/errors.js"]) {
    await cp(join(sources, part), join(folder.path, part), { recursive: true });
  }
  const { href } = pathToFileURL(join(folder.path, "drivers/redis/client/ioredis.js"));
  const script = `
    const { openIoredis } = await import(${JSON.stringify(href)});
    const address = { kind: "standalone", nodes: [{ host: "127.0.0.1", port: 1 }], db: 0 };
    await openIoredis(address, { random: Math.random, timeout: 1000 }).catch(({ name, message }) => console.log(name + ": " + message));`;
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" });
  expect(stderr).toBe("");
  expect(stdout).toBe("MissingDependencyError: the redis driver needs ioredis: run `npm install ioredis`\n");
});

function thrownBy(action: () => void): Error {
  try {
    action();
  } catch (error) {
    if (error instanceof Error) return error;
  }
  return expect.fail("it threw nothing");
}
