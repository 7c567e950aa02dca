import { spawnSync } from "node:child_process";
import { cp } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, onTestFinished, test } from "vitest";
import { driverFromUrl } from "../../../src/drivers/index.js";
import { fromUrl, type RabbitmqOptions, rabbitmq } from "../../../src/drivers/rabbitmq/index.js";
import { resolveOptions } from "../../../src/drivers/rabbitmq/options.js";
import { ConfigError } from "../../../src/job/errors.js";
import { compiledSources } from "../../support/compiled.js";
import { temporaryFolder } from "../../support/temporary.js";

const local = { hosts: [{ host: "127.0.0.1", port: 5672 }], username: "guest", password: "guest", vhost: "/" };
const heartbeat = 10;
const usual = { ...local, heartbeat };

describe("rabbitmq URLs", () => {
  test.each([
    ["amqp://", usual],
    ["amqp:///", usual],
    ["amqp://127.0.0.1/%2F", usual],
    ["AMQP://localhost", { ...usual, hosts: [{ host: "localhost", port: 5672 }] }],
    ["amqp://[::1]:7000", { ...usual, hosts: [{ host: "::1", port: 7000 }] }],
    ["amqp://h/shop", { ...usual, hosts: [{ host: "h", port: 5672 }], vhost: "shop" }],
    ["amqp://h/shop%2Feu%20100%25", { ...usual, hosts: [{ host: "h", port: 5672 }], vhost: "shop/eu 100%" }],
    ["amqp://me:a:b%40%2F%25@127.0.0.1", { ...usual, username: "me", password: "a:b@/%" }],
    ["amqp://me%40here@127.0.0.1", { ...usual, username: "me@here", password: "" }],
    ["amqps://127.0.0.1", { ...usual, hosts: [{ host: "127.0.0.1", port: 5671 }], tls: {} }],
    [
      "amqp://me:pw@a,b:7000,[::1]/shop?heartbeat=30s",
      {
        hosts: [
          { host: "a", port: 5672 },
          { host: "b", port: 7000 },
          { host: "::1", port: 5672 },
        ],
        username: "me",
        password: "pw",
        vhost: "shop",
        heartbeat: 30,
      },
    ],
    [
      "amqps://a:1,b",
      {
        ...usual,
        hosts: [
          { host: "a", port: 1 },
          { host: "b", port: 5671 },
        ],
        tls: {},
      },
    ],
  ])("%s", async (url, address) => {
    expect(resolveOptions({ url }).address).toEqual(address);
    expect((await driverFromUrl(url)).name).toBe("rabbitmq");
  });

  test("carry options, and those given beside win", () => {
    const url = "amqp://h?queueType=quorum&timeout=2s&maxBytes=1000&heartbeat=1500ms";
    expect(resolveOptions({ url })).toMatchObject({
      queueType: "quorum",
      maxPriority: 0,
      timeout: 2000,
      maxBytes: 1000,
    });
    // Seconds are what AMQP has; a heartbeat of 0 would be none.
    expect(resolveOptions({ url }).address.heartbeat).toBe(2);
    const beside = resolveOptions({ url, queueType: "classic", timeout: "3s", maxPriority: 10 });
    expect(beside).toMatchObject({ queueType: "classic", timeout: 3000, maxPriority: 10, maxBytes: 1000 });
  });

  test.each([
    ["amqp://h?queuetype=quorum", 'unknown option "queuetype" in the rabbitmq URL: did you mean "queueType"?'],
    ["amqp://h:99999", '"amqp://h:99999" has a host that is not host or host:port'],
    ["amqp://h:0", "has a host that is not host or host:port"],
    ["amqp://h:port", "has a host that is not host or host:port"],
    ["amqp://a,,b", '"amqp://a,,b" has a host that is not host or host:port'],
    ["amqp:h", '"amqp:h" is not a rabbitmq URL: write amqp://user:password@localhost:5672/vhost'],
    ["http://h", '"http://h" is not a rabbitmq URL'],
    ["localhost:5672", '"localhost:5672" is not a rabbitmq URL'],
    ["amqp://h/100%", '"amqp://h/100%" is not well encoded: write a percent sign as %25'],
    ["amqp://:100%@h", '"amqp://:***@h" is not well encoded: write a percent sign as %25'],
    ["amqp://h?queueType=stream", 'queueType cannot be "stream"'],
    ["amqp://h?maxPriority=5", "maxPriority cannot be 5: 0 for none, or 9 to 255"],
    ["amqp://h?maxPriority=256", "maxPriority cannot be 256"],
    ["amqp://h?maxPriority=many", "maxPriority cannot be NaN"],
    ["amqp://h?queueType=quorum&maxPriority=9", "quorum queues have no priorities: leave maxPriority out"],
    ["amqp://h?timeout=soon", 'timeout is "soon", which is not a duration'],
    ["amqp://h?heartbeat=often", 'heartbeat is "often", which is not a duration'],
    ["amqp://h?heartbeat=0", "heartbeat cannot be 0"],
    ["amqp://h?maxBytes=much", "maxBytes cannot be NaN: a whole number from 1 to 134217728"],
    ["amqp://h?maxBytes=134217729", "maxBytes cannot be 134217729"],
  ])("%s is refused", (url, message) => {
    expect(() => fromUrl(url)).toThrow(ConfigError);
    expect(() => fromUrl(url)).toThrow(message);
  });

  test.each([
    ["amqp://me:s3cret@h/shop", "amqp://me:***@h/shop"],
    ["amqps://me:s3cret@a:1,b:2/shop?queueType=quorum", "amqps://me:***@a:1,b:2/shop?queueType=quorum"],
  ])("%s is shown without its password", (url, location) => {
    expect(fromUrl(url).location).toBe(location);
  });

  test.each(["amqp://me:s3cret/s3cret@h", "amqp://me:s3cret?s3cret@h/shop", "amqps://me:s3cret#s3cret@a:1,b:2/shop"])(
    "%s, with a password that is not encoded, is refused without showing it",
    (url) => {
      expect(() => fromUrl(url)).toThrow(ConfigError);
      expect(() => fromUrl(url)).not.toThrow(/s3cret/);
    },
  );
});

describe("rabbitmq options", () => {
  test("have defaults", () => {
    const settings = { queueType: "classic", maxPriority: 9, timeout: 10_000, maxBytes: 1_048_576 };
    expect(resolveOptions({})).toMatchObject({ ...settings, address: usual, protocol: "taskwright" });
    expect(resolveOptions({ queueType: "quorum" }).maxPriority).toBe(0);
    // What Celery declares without a setting.
    expect(resolveOptions({ protocol: "celery" }).maxPriority).toBe(0);
    expect(rabbitmq("amqp://h").location).toBe("amqp://h");
  });

  test("say what the driver can do", () => {
    expect(rabbitmq().capabilities.priority).toBe(true);
    expect(rabbitmq({ maxPriority: 0 }).capabilities.priority).toBe(false);
    expect(rabbitmq({ maxBytes: 5 }).maxBytes).toBe(5);
  });

  test("tls goes with amqps", () => {
    expect(resolveOptions({ url: "amqps://h", tls: { ca: "x" } }).address.tls).toEqual({ ca: "x" });
  });

  test.each<[object, string]>([
    [{ host: "h" }, 'unknown option "host" in rabbitmq(); there are'],
    [{ queuType: "quorum" }, 'unknown option "queuType" in rabbitmq(): did you mean "queueType"?'],
    [{ queueType: "lazy" }, 'queueType cannot be "lazy"'],
    [{ queueType: "quorum", maxPriority: 9 }, "quorum queues have no priorities"],
    [{ maxPriority: 9.5 }, "maxPriority cannot be 9.5"],
    [{ protocol: "resque" }, 'protocol cannot be "resque"'],
    [{ timeout: -1 }, "timeout is -1, but a duration cannot be negative"],
    [{ heartbeat: 0 }, "heartbeat cannot be 0"],
    [{ heartbeat: "1d" }, "heartbeat cannot be 1d: 1 s to 65535 s"],
    [{ maxBytes: 1.5 }, "maxBytes cannot be 1.5: a whole number from 1"],
    [{ tls: {} }, "tls goes with amqps://"],
    [{ url: "amqp://h", tls: { ca: "x" } }, "tls goes with amqps://"],
  ])("%o are refused", (options, message) => {
    expect(() => rabbitmq(options as RabbitmqOptions)).toThrow(ConfigError);
    expect(() => rabbitmq(options as RabbitmqOptions)).toThrow(message);
  });
});

test("a missing amqplib is named with the command that installs it", async () => {
  const folder = await temporaryFolder();
  onTestFinished(() => folder.remove());
  const sources = await compiledSources();
  // From here no node_modules can be seen.
  for (const part of ["drivers/rabbitmq/client.js", "drivers/rabbitmq/packets.js", "job/errors.js"]) {
    await cp(join(sources, part), join(folder.path, part));
  }
  const { href } = pathToFileURL(join(folder.path, "drivers/rabbitmq/client.js"));
  const script = `
    const { openConnection } = await import(${JSON.stringify(href)});
    await openConnection({ hosts: [] }, 0, "test", 1000).catch(({ name, message }) => console.log(name + ": " + message));`;
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" });
  expect(stderr).toBe("");
  expect(stdout).toBe("MissingDependencyError: the rabbitmq driver needs amqplib: run `npm install amqplib`\n");
});
