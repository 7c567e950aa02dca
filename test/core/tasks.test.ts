import {
  BrokerError,
  ConfigError,
  currentJob,
  isTask,
  RemoteError,
  TaskHandler,
  Taskwright,
  task,
  UnknownTaskError,
} from "taskwright";
import { memory } from "taskwright/drivers/memory";
import { describe, expect, test } from "vitest";
import { memoryApp } from "./support.js";

describe("function tasks", () => {
  test("calling a task runs it here, synchronously where its function is", async () => {
    const app = memoryApp();
    const add = app.task("add", (a: number, b: number) => a + b);
    const later = app.task("later", async (a: number) => a * 2);
    expect(add(2, 3)).toBe(5);
    expect(later(4)).toBeInstanceOf(Promise);
    expect(await later(4)).toBe(8);
  });

  test("an inline call connects to nothing, and throws what the function throws", () => {
    const app = new Taskwright({
      broker: {
        ...memory(),
        connect: () => Promise.reject(new BrokerError("an inline call has no business here")),
      },
    });
    const fail = app.task("fail", () => {
      throw new RangeError("no");
    });
    expect(() => fail()).toThrow(new RangeError("no"));
  });

  test("an inline call is a job of its own, and its caller is its parent", async () => {
    const app = memoryApp();
    const seen = () => {
      const { id, task: name, attempt, attempts, parentId, rootId, labels, queue, signal } = currentJob();
      return { id, name, attempt, attempts, parentId, rootId, labels, queue, aborted: signal.aborted };
    };
    const inner = app.task("inner", { queue: "q", labels: { a: 1 } }, seen);
    const outer = app.task("outer", () => ({ own: seen(), inner: inner() }));
    const result = outer();
    expect(result.own).toMatchObject({ name: "outer", attempt: 1, attempts: 1, parentId: undefined, queue: "default" });
    expect(result.own.rootId).toBe(result.own.id);
    expect(result.inner).toMatchObject({ name: "inner", queue: "q", labels: { a: 1 }, aborted: false });
    expect(result.inner.parentId).toBe(result.own.id);
    expect(result.inner.rootId).toBe(result.own.id);
    expect(result.inner.id).not.toBe(result.own.id);
  });

  test("inside of an inline call progress, log and extend are answered", async () => {
    const app = memoryApp({ logger: { debug() {}, info() {}, warn() {}, error() {} } });
    const report = app.task("report", async () => {
      const job = currentJob();
      await job.progress(0.5);
      await job.log("half");
      return job.extend();
    });
    expect(await report()).toBe(true);
  });

  test("a task keeps its name, and the app knows it by that name", () => {
    const app = memoryApp();
    const add = app.task("math.add", (a: number, b: number) => a + b);
    expect(add.name).toBe("math.add");
    expect(app.tasks.get("math.add")).toBe(add);
    expect(isTask(add)).toBe(true);
    expect(isTask(() => 1)).toBe(false);
  });

  test("what is no definition is refused", () => {
    const app = memoryApp();
    app.task("taken", () => 1);
    expect(() => app.task("taken", () => 2)).toThrow(new ConfigError('there is already a task "taken" in this app'));
    expect(() => app.task("", () => 1)).toThrow(ConfigError);
    // @ts-expect-error: no handler
    expect(() => app.task("a", {})).toThrow(/task "a" needs a handler/);
    // @ts-expect-error: options are no object
    expect(() => app.task("a", null, () => 1)).toThrow(/options of task "a"/);
  });
});

describe("class tasks", () => {
  class Greet extends TaskHandler<[name: string], string> {
    calls = 0;
    async handle(name: string) {
      this.calls += 1;
      return `hello ${name} ${this.calls} ${currentJob().task}`;
    }
  }

  test("each call and each attempt has an instance of its own", async () => {
    await using app = memoryApp();
    const greet = app.task("greet", Greet);
    expect(await greet("Ada")).toBe("hello Ada 1 greet");
    expect(await greet("Ada")).toBe("hello Ada 1 greet");
    await using worker = app.worker();
    await worker.start();
    expect(await greet.enqueue("Bob").result()).toBe("hello Bob 1 greet");
  });

  test("an inline call of a class task is a promise also where handle() is synchronous", async () => {
    class Sync extends TaskHandler<[], number> {
      handle() {
        return 3;
      }
    }
    const app = memoryApp();
    const answer = app.task("sync", Sync)();
    expect(answer).toBeInstanceOf(Promise);
    expect(await answer).toBe(3);
  });

  test("failed() runs once, after the last attempt, with the error and the arguments", async () => {
    const failures: unknown[] = [];
    class Fails extends TaskHandler<[id: string], void> {
      handle() {
        throw new RangeError(`attempt ${currentJob().attempt}`);
      }
      override async failed(error: Error, id: string) {
        failures.push([error, id]);
      }
    }
    await using app = memoryApp();
    const fails = app.task("fails", { attempts: 3, backoff: 0 }, Fails);
    const job = await fails.enqueue("x");
    expect(await app.drain()).toMatchObject({ retried: 2, dead: 1 });
    expect(failures).toEqual([[new RangeError("attempt 3"), "x"]]);
    expect(await job.state()).toBe("dead");
  });

  test("failed() gets an error also where something else was thrown", async () => {
    let failure: Error | undefined;
    class Throws extends TaskHandler<[], void> {
      handle() {
        throw "text";
      }
      override failed(error: Error) {
        failure = error;
      }
    }
    await using app = memoryApp();
    await app.task("throws", { attempts: 1 }, Throws).enqueue();
    await app.drain();
    expect(failure).toEqual(new Error("text"));
    expect(failure?.cause).toBe("text");
  });

  test.each(["throws", "rejects"])("a failed() that %s is logged, and the job is dead all the same", async (how) => {
    const errors: unknown[] = [];
    class Fails extends TaskHandler<[], void> {
      handle() {
        throw new Error("first");
      }
      override failed(): Promise<void> | void {
        if (how === "throws") throw new Error("second");
        return Promise.reject(new Error("second"));
      }
    }
    await using app = memoryApp({
      logger: { debug() {}, info() {}, warn() {}, error: (fields) => errors.push((fields as { err: unknown }).err) },
    });
    const job = await app.task("fails", { attempts: 1 }, Fails).enqueue();
    await app.drain();
    expect(await job.state()).toBe("dead");
    expect(errors).toEqual([new Error("second")]);
  });

  test("shouldRetry() decides, with the error and the attempt", async () => {
    const asked: unknown[] = [];
    class Picky extends TaskHandler<[], void> {
      handle() {
        throw new Error("no");
      }
      override shouldRetry(error: Error, attempt: number) {
        asked.push([error.message, attempt]);
        return attempt < 2;
      }
    }
    await using app = memoryApp();
    await app.task("picky", { attempts: 5, backoff: 0 }, Picky).enqueue();
    expect(await app.drain()).toMatchObject({ retried: 1, dead: 1 });
    expect(asked).toEqual([
      ["no", 1],
      ["no", 2],
    ]);
  });

  test("a shouldRetry() that throws ends the job, with the handler's error", async () => {
    class Broken extends TaskHandler<[], void> {
      handle() {
        throw new Error("the failure");
      }
      override shouldRetry(): boolean {
        throw new Error("the policy");
      }
    }
    await using app = memoryApp({ logger: { debug() {}, info() {}, warn() {}, error() {} } });
    const job = await app.task("broken", { attempts: 5, backoff: 0 }, Broken).enqueue();
    expect(await app.drain()).toMatchObject({ retried: 0, dead: 1 });
    await expect(job.result()).rejects.toThrow("the failure");
  });

  test("a constructor that throws is a failed attempt", async () => {
    class Unmakeable extends TaskHandler<[], void> {
      constructor() {
        super();
        throw new Error("not made");
      }
      handle() {}
    }
    await using app = memoryApp();
    const job = await app.task("unmakeable", { attempts: 2, backoff: 0 }, Unmakeable).enqueue();
    expect(await app.drain()).toMatchObject({ retried: 1, dead: 1 });
    await expect(job.result()).rejects.toThrow("not made");
  });
});

describe("tasks without an app", () => {
  test("task() needs register() before it can be used, and says so", async () => {
    const add = task("add", (a: number, b: number) => a + b);
    const hint = new ConfigError('task "add" belongs to no app yet: call app.register(add)');
    expect(() => add(1, 2)).toThrow(hint);
    expect(() => add.enqueue(1, 2)).toThrow(hint);
    await using app = memoryApp();
    expect(app.register(add)).toBe(add);
    expect(add(1, 2)).toBe(3);
    await add.enqueue(1, 2);
    expect(await app.drain()).toMatchObject({ completed: 1 });
  });

  test("options bound before registration count after it", async () => {
    const where = task("where", () => currentJob().queue);
    const bound = where.with({ queue: "q" });
    const signature = where.s();
    await using app = memoryApp();
    app.register(where);
    const job = await bound.enqueue();
    const other = await signature.enqueue();
    await app.drain();
    expect(await job.result()).toBe("q");
    expect(await other.result()).toBe("default");
  });

  test("a task in two apps is run by both, and each app's value sends through its own", async () => {
    await using first = memoryApp();
    await using second = memoryApp();
    const add = task("add", (a: number, b: number) => a + b);
    const inFirst = first.register(add);
    const inSecond = second.register(add);
    expect(inSecond(1, 2)).toBe(3);
    await inFirst.enqueue(1, 2);
    await inSecond.enqueue(3, 4);
    expect(await first.drain()).toMatchObject({ completed: 1 });
    expect(await second.drain()).toMatchObject({ completed: 1 });
  });

  test("only tasks can be registered, and only once in an app", () => {
    const app = memoryApp();
    const add = app.task("add", (a: number, b: number) => a + b);
    expect(() => app.register(add)).toThrow('there is already a task "add" in this app');
    // @ts-expect-error: a function is no task
    expect(() => app.register(() => 1)).toThrow(ConfigError);
  });
});

describe("by name", () => {
  test("a remote task sends to workers that have it", async () => {
    const broker = memory();
    await using producer = new Taskwright({ broker });
    await using consumer = new Taskwright({ broker });
    consumer.task("proj.add", { queue: "celery" }, (a: number, b: number) => a + b);
    const remote = producer.remoteTask<[number, number], number>("proj.add", {
      queue: "celery",
      labels: { from: "ts" },
    });
    expect(remote.name).toBe("proj.add");
    const job = await remote.enqueue(2, 3);
    await consumer.drain();
    expect(await job.result()).toBe(5);
  });

  test("the options of a stub travel with its jobs", async () => {
    await using app = memoryApp();
    const remote = app.remoteTask<[], never>("elsewhere", { attempts: 7, timeout: "5s", backoff: "1s", priority: 4 });
    const job = await remote.enqueue();
    const found = await app.inspect.find(job.id);
    expect(found).toMatchObject({ priority: 4, message: { options: { attempts: 7, timeout: 5000, backoff: "1s" } } });
  });

  test("send() takes args, kwargs and the options of a job", async () => {
    await using app = memoryApp();
    app.task("join", (...all: unknown[]) => JSON.stringify(all));
    const job = await app.send("join", { args: [1, "b"], kwargs: { x: 2 }, labels: { by: "name" }, queue: "named" });
    expect((await app.inspect.find(job.id))?.message).toMatchObject({
      task: "join",
      args: [1, "b"],
      options: { kwargs: { x: 2 }, labels: { by: "name" } },
    });
    await app.drain();
    expect(await job.result()).toBe('[1,"b",{"x":2}]');
  });

  test("send() to a task of this app takes that task's options", async () => {
    await using app = memoryApp();
    app.task("known", { queue: "its-own", priority: 3 }, () => 1);
    const job = await app.send("known");
    expect(await app.inspect.find(job.id)).toMatchObject({ queue: "its-own", priority: 3 });
  });

  test("a name that no worker has is parked", async () => {
    await using app = memoryApp({ logger: { debug() {}, info() {}, warn() {}, error() {} } });
    app.task("mail.send", () => 1);
    const job = await app.send("mail.sent");
    await app.drain();
    const failure = await job.result().catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(UnknownTaskError);
    expect((failure as Error).message).toContain('no task "mail.sent"');
    expect((failure as Error).message).toContain('"mail.send"');
  });

  test("a task needs a name", () => {
    const app = memoryApp();
    expect(() => app.send("")).toThrow(ConfigError);
    expect(() => app.remoteTask("")).toThrow(ConfigError);
  });

  test("the task's error class comes back where it is registered, and a RemoteError elsewhere", async () => {
    class OutOfStock extends Error {
      override name = "OutOfStock";
      constructor(readonly sku: string) {
        super(`no ${sku} left`);
      }
    }
    const broker = memory();
    await using consumer = new Taskwright({ broker });
    await using knows = new Taskwright({ broker });
    await using ignorant = new Taskwright({ broker });
    knows.errors.register(OutOfStock);
    consumer.task("buy", { attempts: 1 }, (sku: string) => {
      throw new OutOfStock(sku);
    });
    const job = await knows.send("buy", { args: ["hat"] });
    await consumer.drain();
    const known = await job.result().catch((error: unknown) => error);
    expect(known).toBeInstanceOf(OutOfStock);
    expect(known).toMatchObject({ message: "no hat left", sku: "hat" });
    const unknown = await ignorant
      .job(job.id)
      .result()
      .catch((error: unknown) => error);
    expect(unknown).toBeInstanceOf(RemoteError);
    expect(unknown).toMatchObject({ name: "OutOfStock", message: "no hat left", data: { sku: "hat" } });
  });
});
