/** What a task's schemas make of its types. Compiled by `compile.test.ts`, never run. */
import { type } from "arktype";
import { Taskwright } from "taskwright";
import * as v from "valibot";
import { expectTypeOf } from "vitest";
import { z } from "zod";

const app = new Taskwright();

// A producer gives what the schema takes in; the handler gets what it puts out.
const zodInput = z.object({ at: z.string().transform((text) => new Date(text)), zone: z.string().default("UTC") });
const byZod = app.task("zod", { input: zodInput }, (input) => {
  expectTypeOf(input).toEqualTypeOf<{ at: Date; zone: string }>();
  return input.zone;
});
expectTypeOf(byZod.enqueue).parameters.toEqualTypeOf<[input: { at: string; zone?: string | undefined }]>();
expectTypeOf(byZod).parameters.toEqualTypeOf<[input: { at: Date; zone: string }]>();
expectTypeOf(await byZod.enqueue({ at: "2027-01-01" }).result()).toEqualTypeOf<string>();
// @ts-expect-error: the wire has text
byZod.enqueue({ at: new Date() });
// @ts-expect-error: something is missing
byZod.enqueue({});
// @ts-expect-error: called here, it takes what the handler takes
byZod({ at: "2027-01-01", zone: "UTC" });

const valibotInput = v.object({ id: v.pipe(v.string(), v.transform(Number)), note: v.optional(v.string(), "") });
const byValibot = app.task("valibot", { input: valibotInput }, (input) => {
  expectTypeOf(input).toEqualTypeOf<{ id: number; note: string }>();
  return input.id;
});
byValibot.enqueue({ id: "5" });
expectTypeOf(await byValibot.enqueue({ id: "5", note: "a" }).result()).toEqualTypeOf<number>();
// @ts-expect-error: the wire has text
byValibot.enqueue({ id: 5 });

const byArktype = app.task("arktype", { input: type({ id: "string.numeric.parse", "note?": "string" }) }, (input) => {
  expectTypeOf(input).toEqualTypeOf<{ id: number; note?: string }>();
  return input.id;
});
expectTypeOf(await byArktype.enqueue({ id: "5" }).result()).toEqualTypeOf<number>();
// @ts-expect-error: the wire has text
byArktype.enqueue({ id: 5 });

// A schema of the argument list.
const list = app.task("list", { args: z.tuple([z.string(), z.coerce.number<string>()]) }, (word, times) => {
  expectTypeOf(word).toEqualTypeOf<string>();
  expectTypeOf(times).toEqualTypeOf<number>();
  return word.repeat(times);
});
expectTypeOf(list.enqueue).parameters.toEqualTypeOf<[string, string]>();
expectTypeOf(await list.enqueue("a", "3").result()).toEqualTypeOf<string>();
list.enqueueMany([["a", "3"]]);
list.s("3").enqueue("a");
// @ts-expect-error: the wire has text
list.enqueue("a", 3);
// @ts-expect-error: an argument is missing
list.enqueue("a");
// @ts-expect-error: a list schema is of a list
app.task("wrong", { args: z.string() }, () => 1);

// A schema of the result: the handler returns what it takes in, the caller gets what it puts out.
const output = z.object({ total: z.number() }).transform(({ total }) => `${total} pieces`);
const counted = app.task("output", { output }, async (n: number) => ({ total: n }));
expectTypeOf(await counted.enqueue(1).result()).toEqualTypeOf<string>();
// @ts-expect-error: the result is the schema's
export const wrongOutput: { total: number } = await counted.enqueue(1).result();
// @ts-expect-error: the handler does not return what the schema takes in
app.task("wrong", { output }, () => ({ sum: 1 }));
// @ts-expect-error: nor does this asynchronous one
app.task("wrong", { output }, async () => 5);

// All of it together.
const all = app.task("all", { input: zodInput, output: z.coerce.string<number>(), attempts: 2 }, (input) =>
  input.at.getTime(),
);
expectTypeOf(await all.with({ priority: 1 }).enqueue({ at: "x" }).result()).toEqualTypeOf<string>();
// @ts-expect-error: no such option beside a schema
app.task("wrong", { input: zodInput, atempts: 2 }, () => 1);
