import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { BrokerError, ConfigError, type Driver, Taskwright } from "taskwright";
import { memory } from "taskwright/drivers/memory";
import { describe, expect, onTestFinished, test } from "vitest";
import { temporaryFolder } from "../support/temporary.js";
import { deferred, memoryApp, tapped } from "./support.js";

const run = promisify(execFile);

/** A memory driver that counts how often it is opened and closed. */
function countingDriver(): { driver: Driver; opened: () => number; closed: () => number } {
  let [opened, closed] = [0, 0];
  const place = memory();
  const driver: Driver = {
    ...place,
    async connect(environment) {
      opened += 1;
      const connection = await place.connect(environment);
      return {
        ...connection,
        close: () => {
          closed += 1;
          return connection.close();
        },
      };
    },
  };
  return { driver, opened: () => opened, closed: () => closed };
}

describe("context", () => {
  test("is opened once, by whoever needs it first, and is there for tasks", async () => {
    let opened = 0;
    await using app = memoryApp({
      context: async () => {
        opened += 1;
        await new Promise((resolve) => setImmediate(resolve));
        return { greeting: "hello" };
      },
    });
    const greet = app.task("greet", (name: string) => `${app.context.greeting} ${name}`);
    const [one, two] = [app.worker(), app.worker()];
    await Promise.all([one.start(), two.start(), app.openContext()]);
    expect(await greet.enqueue("Ada").result()).toBe("hello Ada");
    expect(opened).toBe(1);
  });

  test("before it is open it says who opens it; enqueueing does not", async () => {
    await using app = memoryApp({ context: () => ({ pool: 1 }) });
    await app.task("t", () => 1).enqueue();
    expect(() => app.context).toThrow(ConfigError);
    expect(() => app.context).toThrow(/app\.openContext\(\)/);
    expect(await app.openContext()).toEqual({ pool: 1 });
    expect(app.context.pool).toBe(1);
  });

  test("an app without one has undefined", () => {
    expect(memoryApp().context).toBeUndefined();
  });

  test("is disposed in reverse order when the app closes, each disposal after the one before", async () => {
    const order: string[] = [];
    const app = memoryApp({
      context: (scope) => {
        scope.onClose(() => void order.push("first opened"));
        scope.onClose(async () => {
          await new Promise((resolve) => setImmediate(resolve));
          order.push("second opened");
        });
        return {};
      },
    });
    await app.openContext();
    await app.close();
    expect(order).toEqual(["second opened", "first opened"]);
    expect(() => app.context).toThrow(ConfigError);
  });

  test("is disposed after the workers have stopped", async () => {
    const order: string[] = [];
    const app = memoryApp({
      context: (scope) => {
        scope.onClose(() => void order.push("disposed"));
        return {};
      },
    });
    const [started, goOn] = [deferred(), deferred()];
    const t = app.task("t", async () => {
      started.resolve();
      await goOn.promise;
      order.push("handler ended");
    });
    await app.worker().start();
    await t.enqueue();
    await started.promise;
    const closing = app.close();
    goOn.resolve();
    await closing;
    expect(order).toEqual(["handler ended", "disposed"]);
  });

  test("a factory that fails cleans up what it had opened, fails the start, and may be tried again", async () => {
    let tries = 0;
    const closed: number[] = [];
    await using app = memoryApp({
      context: async (scope) => {
        const n = ++tries;
        scope.onClose(() => void closed.push(n));
        if (n === 1) throw new Error("no database");
        return { n };
      },
    });
    await expect(app.worker().start()).rejects.toThrow("no database");
    expect(closed).toEqual([1]);
    await app.worker().start();
    expect(app.context).toEqual({ n: 2 });
    await app.close();
    expect(closed).toEqual([1, 2]);
  });

  test("the factory's own error is not hidden by a disposal that fails as well", async () => {
    await using app = memoryApp({
      context: (scope) => {
        scope.onClose(() => Promise.reject(new Error("and this does not close")));
        throw new Error("no database");
      },
    });
    await expect(app.openContext()).rejects.toThrow("no database");
  });

  test("a disposal that fails keeps the others from nothing, and is told", async () => {
    const order: string[] = [];
    const { driver, closed } = countingDriver();
    const app = new Taskwright({
      broker: driver,
      context: (scope) => {
        scope.onClose(() => void order.push("first opened"));
        scope.onClose(() => {
          throw new Error("stuck");
        });
        return {};
      },
    });
    await app.connect();
    await app.openContext();
    await expect(app.close()).rejects.toThrow(AggregateError);
    expect(order).toEqual(["first opened"]);
    expect(closed()).toBe(1);
  });
});

describe("close", () => {
  test("stops workers, closes each connection once, and may be called again", async () => {
    const { driver, opened, closed } = countingDriver();
    const other = countingDriver();
    const app = new Taskwright({ broker: driver });
    const t = app.task("t", () => 1);
    const worker = app.worker();
    await worker.start();
    await t.enqueue();
    await t.with({ broker: other.driver }).enqueueMany([[], []]);
    await Promise.all([app.close(), app.close()]);
    await app.close();
    expect([opened(), closed(), other.opened(), other.closed()]).toEqual([1, 1, 1, 1]);
    await expect(worker.start()).rejects.toThrow(/has stopped/);
  });

  test("of an app that was never used does nothing", async () => {
    const { driver, opened } = countingDriver();
    const app = new Taskwright({ broker: driver });
    await app.close();
    expect(opened()).toBe(0);
  });

  test("leaves the app usable", async () => {
    const { driver, opened, closed } = countingDriver();
    await using app = new Taskwright({ broker: driver });
    const add = app.task("add", (a: number, b: number) => a + b);
    await add.enqueue(1, 2);
    await app.close();
    const worker = app.worker();
    await worker.start();
    expect(await add.enqueue(3, 4).result()).toBe(7);
    await app.close();
    expect([opened(), closed()]).toEqual([2, 2]);
  });

  test("goes on when a connection does not close, and tells", async () => {
    const place = memory();
    const stuck: Driver = {
      ...place,
      connect: async (environment) => ({
        ...(await place.connect(environment)),
        close: () => Promise.reject(new BrokerError("stuck")),
      }),
    };
    let disposed = false;
    const app = new Taskwright({
      broker: stuck,
      context: (scope) => {
        scope.onClose(() => {
          disposed = true;
        });
        return {};
      },
    });
    await app.connect();
    await app.openContext();
    await expect(app.close()).rejects.toThrow("did not close cleanly");
    expect(disposed).toBe(true);
    await app.close();
  });

  test("`await using` closes app and worker", async () => {
    const { driver, closed } = countingDriver();
    let worker: ReturnType<Taskwright["worker"]>;
    {
      await using app = new Taskwright({ broker: driver });
      app.task("t", () => 1);
      await using scoped = app.worker();
      worker = scoped;
      await scoped.start();
    }
    expect(closed()).toBe(1);
    await expect(worker.start()).rejects.toThrow(ConfigError);
  });

  test("a follower of progress ends with it", async () => {
    const app = memoryApp();
    const job = await app.task("t", () => 1).enqueue();
    const following = (async () => {
      for await (const _ of job.progress());
    })().catch((error: unknown) => error);
    await app.close();
    expect(await following).toBeInstanceOf(BrokerError);
  });

  test("while the broker is being opened, waits for it", async () => {
    const { driver, opened, closed } = countingDriver();
    const app = new Taskwright({ broker: driver });
    const connecting = app.connect();
    await app.close();
    await connecting;
    expect([opened(), closed()]).toEqual([1, 1]);
  });
});

describe("a worker's own life", () => {
  test("starting twice is starting once", async () => {
    let claims = 0;
    const driver = tapped(memory(), (call, next) => {
      if (call.method === "claim") claims += 1;
      return next();
    });
    await using app = new Taskwright({ broker: driver });
    await using worker = app.worker();
    await Promise.all([worker.start(), worker.start()]);
    await worker.start();
    expect(claims).toBe(1);
    expect(await app.inspect.workers()).toHaveLength(1);
  });

  test("stopping before the start, during it, or twice", async () => {
    await using app = memoryApp();
    const [idle, hasty] = [app.worker(), app.worker()];
    await idle.stop();
    await expect(idle.start()).rejects.toThrow(ConfigError);
    const starting = hasty.start();
    await hasty.stop();
    await starting;
    await hasty.stop();
    expect(await app.inspect.workers()).toEqual([]);
    const job = await app.task("t", () => 1).enqueue();
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    expect(await job.state()).toBe("waiting");
  });

  test("a start that failed may be tried again", async () => {
    let down = true;
    const place = memory();
    const driver: Driver = {
      ...place,
      connect: (environment) => (down ? Promise.reject(new BrokerError("down")) : place.connect(environment)),
    };
    await using app = new Taskwright({ broker: driver });
    const add = app.task("add", (a: number, b: number) => a + b);
    await using worker = app.worker();
    await expect(worker.start()).rejects.toThrow("down");
    down = false;
    await worker.start();
    expect(await add.enqueue(1, 2).result()).toBe(3);
  });

  test("wrong options are refused at the start, with the nearest right name", async () => {
    await using app = memoryApp();
    // @ts-expect-error: no such option
    await expect(app.worker({ concurency: 5 }).start()).rejects.toThrow(/"concurency".*did you mean "concurrency"/);
    await expect(app.worker({ concurrency: 0 }).start()).rejects.toThrow(ConfigError);
    await expect(app.worker({ lease: "10s", heartbeat: "8s" }).start()).rejects.toThrow(/heartbeat.*under half/);
  });
});

describe("processes", () => {
  const root = fileURLToPath(new URL("../..", import.meta.url));
  const jiti = join(createRequire(import.meta.url).resolve("jiti"), "../../lib/jiti-cli.mjs");

  /** Runs a script in a process of its own, against the sources, and answers what it wrote. */
  async function script(source: string): Promise<string> {
    const folder = await temporaryFolder();
    onTestFinished(() => folder.remove());
    const path = join(folder.path, "script.ts");
    await writeFile(path, source.replaceAll("@/", `${root}src/`));
    const { stdout } = await run(process.execPath, [jiti, path], { cwd: folder.path, timeout: 60_000 });
    return stdout.trim();
  }

  test.each(["memory", "sqlite"])("a process ends by itself after close() (%s)", async (driver) => {
    const output = await script(`
      import { Taskwright } from "@/index.ts";
      const app = new Taskwright({ broker: ${driver === "memory" ? '"memory:"' : '"sqlite:./jobs.db"'} });
      const add = app.task("add", (a, b) => a + b);
      await app.worker().start();
      console.log(await add.enqueue(2, 3).result());
      void (await add.with({ queue: "nobody" }).enqueue(1, 1)).result().catch((error) => console.log(error.code));
      await app.close();
    `);
    expect(output).toBe("5\nbroker");
  });

  test("a producer that only enqueues ends by itself after close()", async () => {
    const output = await script(`
      import { Taskwright } from "@/index.ts";
      await using app = new Taskwright({ broker: "sqlite:./jobs.db" });
      const job = await app.task("t", () => 1).enqueue();
      console.log(await job.state());
    `);
    expect(output).toBe("waiting");
  });
});
