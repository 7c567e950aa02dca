import { type } from "arktype";
import { currentJob, RemoteError, Taskwright, ValidationError } from "taskwright";
import { memory } from "taskwright/drivers/memory";
import * as v from "valibot";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { memoryApp } from "./support.js";

const inputs = {
  zod: z.object({ email: z.email(), age: z.number().min(18) }),
  valibot: v.object({ email: v.pipe(v.string(), v.email()), age: v.pipe(v.number(), v.minValue(18)) }),
  arktype: type({ email: "string.email", age: "number >= 18" }),
};

const lists = {
  zod: z.tuple([z.string(), z.number()]),
  valibot: v.tuple([v.string(), v.number()]),
  arktype: type(["string", "number"]),
};

const outputs = { zod: z.number().max(10), valibot: v.pipe(v.number(), v.maxValue(10)), arktype: type("number <= 10") };

const LIBRARIES = ["zod", "valibot", "arktype"] as const;

/** A job that no producer checked: as another version, or another language, would send it. */
async function sendUnchecked(broker: ReturnType<typeof memory>, name: string, args: unknown[]) {
  const producer = new Taskwright({ broker });
  return { producer, job: await producer.send(name, { args }) };
}

describe.each(LIBRARIES)("with %s", (library) => {
  test("input is checked at enqueue, with every issue and its path", async () => {
    await using app = memoryApp();
    const invite = app.task("invite", { input: inputs[library] as (typeof inputs)["zod"] }, ({ email }) => email);
    const error = await invite.enqueue({ email: "nobody", age: 3 }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ValidationError);
    expect((error as ValidationError).issues.map(({ path }) => path).sort()).toEqual(["age", "email"]);
    expect((error as ValidationError).message).toContain('the arguments of task "invite"');
    await expect(invite.enqueueMany([[{ email: "a@b.example", age: 20 }], [{ email: "", age: 20 }]])).rejects.toThrow(
      ValidationError,
    );
    expect(await app.inspect.queues()).toEqual([]);
    const job = await invite.enqueue({ email: "a@b.example", age: 20 });
    await app.drain();
    expect(await job.result()).toBe("a@b.example");
  });

  test("args are checked at enqueue as a list", async () => {
    await using app = memoryApp();
    const options = { args: lists[library] as (typeof lists)["zod"] };
    const say = app.task("say", options, (word, times) => word.repeat(times));
    // @ts-expect-error: the second argument is a number
    await expect(say.enqueue("a", "b")).rejects.toThrow(ValidationError);
    // @ts-expect-error: an argument is missing
    await expect(say.enqueue("a")).rejects.toThrow(ValidationError);
    const job = await say.enqueue("ab", 2);
    await app.drain();
    expect(await job.result()).toBe("abab");
  });

  test("arguments that do not fit at the run go to the dead letters at once, and the handler is not called", async () => {
    const broker = memory();
    await using app = new Taskwright({ broker });
    let runs = 0;
    app.task("say", { attempts: 5, args: lists[library] as (typeof lists)["zod"] }, () => void runs++);
    const { producer, job } = await sendUnchecked(broker, "say", ["a", "b"]);
    await using _ = producer;
    expect(await app.drain()).toMatchObject({ dead: 1, retried: 0 });
    expect(runs).toBe(0);
    expect(await app.inspect.find(job.id)).toMatchObject({ state: "dead", reason: "invalid-arguments", attempt: 1 });
    await expect(job.result()).rejects.toThrow(ValidationError);
  });

  test("a result that does not fit goes to the dead letters at once", async () => {
    await using app = memoryApp();
    const options = { attempts: 5, output: outputs[library] as (typeof outputs)["zod"] };
    const count = app.task("count", options, (n: number) => n);
    const [fine, wrong] = await count.enqueueMany([[10], [11]]);
    expect(await app.drain()).toMatchObject({ completed: 1, dead: 1, retried: 0 });
    expect(await fine?.result()).toBe(10);
    expect(await app.inspect.find(wrong?.id ?? "")).toMatchObject({ reason: "invalid-result", attempt: 1 });
    await expect(wrong?.result()).rejects.toThrow(/the result of task "count"/);
  });
});

describe("conversions", () => {
  test("happen once, at the run: the wire has what the caller gave", async () => {
    await using app = memoryApp();
    let conversions = 0;
    const at = z.string().transform((text) => {
      conversions += 1;
      return new Date(text);
    });
    const year = app.task("year", { input: z.object({ at, zone: z.string().default("UTC") }) }, (input) => [
      input.at.getUTCFullYear(),
      input.zone,
    ]);
    const job = await year.enqueue({ at: "2027-05-05" });
    expect((await app.inspect.find(job.id))?.message?.args).toEqual([{ at: "2027-05-05" }]);
    const before = conversions;
    await app.drain();
    expect(await job.result()).toEqual([2027, "UTC"]);
    expect(conversions).toBe(before + 1);
  });

  test("of the output are what the caller gets", async () => {
    await using app = memoryApp();
    const output = z.number().transform((n) => `${n} pieces`);
    const job = await app.task("count", { output }, () => 3).enqueue();
    await app.drain();
    expect(await job.result()).toBe("3 pieces");
  });

  test("a retried attempt converts the original arguments again, not the converted ones", async () => {
    await using app = memoryApp();
    const seen: number[] = [];
    const input = z.number().transform((n) => n + 1);
    const t = app.task("t", { input, attempts: 3, backoff: 0 }, (n) => {
      seen.push(n);
      throw new Error("again");
    });
    await t.enqueue(1);
    await app.drain();
    expect(seen).toEqual([2, 2, 2]);
  });
});

test("asynchronous schemas are awaited on both sides", async () => {
  await using app = memoryApp();
  const input = z.string().refine(async (text) => text !== "taken", "is taken");
  const output = z.string().transform(async (text) => text.toUpperCase());
  const name = app.task("name", { input, output }, (text) => text);
  await expect(name.enqueue("taken")).rejects.toThrow(/is taken/);
  const job = await name.enqueue("free");
  await app.drain();
  expect(await job.result()).toBe("FREE");
});

test("input takes one argument and no more", async () => {
  await using app = memoryApp();
  app.task("one", { input: z.string() }, (text) => text);
  await expect(app.send("one", { args: ["a", "b"] })).rejects.toThrow(/must be one, not 2/);
});

test("a ValidationError that the handler itself throws is a failure like any other", async () => {
  await using app = memoryApp();
  let runs = 0;
  const t = app.task("t", { input: z.string(), attempts: 3, backoff: 0 }, () => {
    runs += 1;
    throw new ValidationError("of something else", []);
  });
  const job = await t.enqueue("a");
  expect(await app.drain()).toMatchObject({ retried: 2, dead: 1 });
  expect(runs).toBe(3);
  expect(await app.inspect.find(job.id)).toMatchObject({ reason: "failed" });
});

test("a nested enqueue that fails its validation fails the attempt, which is retried", async () => {
  await using app = memoryApp();
  const child = app.task("child", { input: z.number() }, (n) => n);
  const parent = app.task("parent", { attempts: 2, backoff: 0 }, async () => {
    await child.enqueue("no number" as never);
  });
  const job = await parent.enqueue();
  expect(await app.drain()).toMatchObject({ retried: 1, dead: 1 });
  expect(await app.inspect.find(job.id)).toMatchObject({ reason: "failed", attempt: 2 });
});

test("a schema that throws at the run parks the job, and at enqueue fails the call", async () => {
  const broker = memory();
  await using app = new Taskwright({ broker });
  let broken = false;
  const input = z.string().transform((text) => {
    if (broken) throw new RangeError("the schema is broken");
    return text;
  });
  const t = app.task("t", { input, attempts: 3, backoff: 0 }, (text) => text);
  const job = await t.enqueue("a");
  broken = true;
  await expect(t.enqueue("b")).rejects.toThrow("the schema is broken");
  expect(await app.drain()).toMatchObject({ dead: 1 });
  await expect(job.result()).rejects.toThrow("the schema is broken");
});

test("a result that cannot be sent goes to the dead letters at once", async () => {
  await using app = memoryApp();
  const t = app.task("t", { attempts: 3, backoff: 0 }, () => ({ job: currentJob().id, fn: () => 1 }));
  const job = await t.enqueue();
  expect(await app.drain()).toMatchObject({ dead: 1, retried: 0 });
  expect(await app.inspect.find(job.id)).toMatchObject({ reason: "invalid-result" });
  const error = await job.result().catch((thrown: unknown) => thrown);
  expect(error).not.toBeInstanceOf(RemoteError);
  expect(String(error)).toContain("result.fn is a function");
});
