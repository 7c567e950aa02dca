/**
 * What must and must not compile about tasks. `compile.test.ts` compiles this file; nothing in it is run. A line after
 * `@ts-expect-error` that does compile is an error itself.
 */
import {
  type BoundTask,
  type Job,
  type PendingJob,
  type RemoteTask,
  type Signature,
  TaskHandler,
  Taskwright,
  task,
} from "taskwright";
import { expectTypeOf } from "vitest";

const app = new Taskwright();
const add = app.task("add", (a: number, b: number) => a + b);
const greet = app.task("greet", async (name: string, options?: { loud: boolean }) => `${name} ${options?.loud}`);
const sum = app.task("sum", (...numbers: number[]) => numbers.reduce((a, b) => a + b, 0));
const nothing = app.task("nothing", () => {});

// Calling a task is calling its function.
expectTypeOf(add).parameters.toEqualTypeOf<[a: number, b: number]>();
expectTypeOf(add(1, 2)).toEqualTypeOf<number>();
expectTypeOf(greet("a")).toEqualTypeOf<Promise<string>>();
expectTypeOf(nothing()).toEqualTypeOf<void>();
// @ts-expect-error: wrong argument type
add(1, "2");
// @ts-expect-error: an argument is missing
add(1);
// @ts-expect-error: one too many
add(1, 2, 3);

// A broadcast is a task like any other, and says so with a boolean: for all its jobs, for one, or for a stub.
const clear = app.task("clear", { broadcast: true, queue: "caches" }, (key: string) => key.length);
expectTypeOf(clear.enqueue).parameters.toEqualTypeOf<[key: string]>();
expectTypeOf(await clear.enqueue("a")).toEqualTypeOf<Job<number>>();
expectTypeOf(add.with({ broadcast: true })).toEqualTypeOf<BoundTask<[a: number, b: number], number>>();
app.remoteTask<[string], void>("elsewhere", { broadcast: true });
app.send("elsewhere", { broadcast: true });
// @ts-expect-error: a boolean
app.task("wrong", { broadcast: "yes" }, () => {});
// @ts-expect-error: a boolean
add.with({ broadcast: 1 });

// Enqueueing takes the same arguments and gives the awaited result.
expectTypeOf(add.enqueue).parameters.toEqualTypeOf<[a: number, b: number]>();
expectTypeOf(add.enqueue(1, 2)).toEqualTypeOf<PendingJob<number>>();
expectTypeOf(await add.enqueue(1, 2)).toEqualTypeOf<Job<number>>();
expectTypeOf(await add.enqueue(1, 2).result()).toEqualTypeOf<number>();
expectTypeOf(await (await add.enqueue(1, 2)).result({ timeout: "5s" })).toEqualTypeOf<number>();
expectTypeOf(await greet.enqueue("a").result()).toEqualTypeOf<string>();
expectTypeOf(await greet.enqueue("a", { loud: true })).toEqualTypeOf<Job<string>>();
expectTypeOf(await nothing.enqueue().result()).toEqualTypeOf<void>();
expectTypeOf(await sum.enqueue(1, 2, 3).result()).toEqualTypeOf<number>();
// @ts-expect-error: wrong argument type
add.enqueue("1", 2);
// @ts-expect-error: an argument is missing
add.enqueue(1);
// @ts-expect-error: one too many
add.enqueue(1, 2, 3);
// @ts-expect-error: wrong option of the argument
greet.enqueue("a", { laud: true });
// @ts-expect-error: one of the rest arguments is wrong
sum.enqueue(1, "2");
// @ts-expect-error: the result is a number
export const wrongResult: string = await add.enqueue(1, 2).result();
// @ts-expect-error: a job is not its result
export const wrongJob: number = await add.enqueue(1, 2);
// @ts-expect-error: no such wait option
add.enqueue(1, 2).result({ timeuot: 5 });
// @ts-expect-error: a duration is a number or text
add.enqueue(1, 2).result({ timeout: new Date() });

// Many at once: a list of argument lists.
expectTypeOf(add.enqueueMany([[1, 2]])).toEqualTypeOf<Promise<Job<number>[]>>();
add.enqueueMany([] as const);
add.enqueueMany([[1, 2] as const]);
// @ts-expect-error: not argument lists
add.enqueueMany([1, 2]);
// @ts-expect-error: one of the lists is too short
add.enqueueMany([[1, 2], [3]]);
// @ts-expect-error: one of the lists is too long
add.enqueueMany([[1, 2, 3]]);
// @ts-expect-error: one of the lists holds text
add.enqueueMany([[1, "2"]]);

// with() keeps arguments and result, and chains.
const bound = add.with({ delay: "1m", queue: "slow", priority: 7, labels: { tenant: "a" } }).with({ id: "x" });
expectTypeOf(bound).toEqualTypeOf<BoundTask<[a: number, b: number], number>>();
expectTypeOf(await bound.enqueue(1, 2).result()).toEqualTypeOf<number>();
expectTypeOf(bound.name).toEqualTypeOf<string>();
// @ts-expect-error: a bound task is sent, not called
bound(1, 2);
// @ts-expect-error: wrong argument type
bound.enqueue("1", 2);
// @ts-expect-error: wrong argument type
bound.enqueueMany([["1", 2]]);
// @ts-expect-error: no such option
add.with({ prority: 1 });
// @ts-expect-error: a priority is a number
add.with({ priority: "high" });
// @ts-expect-error: a moment is no delay
add.with({ delay: new Date() });
// @ts-expect-error: a moment is a Date
add.with({ at: "2027-01-01" });
// @ts-expect-error: attempts is a number
add.with({ attempts: "3" });
// @ts-expect-error: no such kind of backoff
add.with({ backoff: { type: "quadratic", delay: "1s" } });
// @ts-expect-error: no such setting of a backoff
add.with({ backoff: { type: "fixed", delay: "1s", jiter: 1 } });
// @ts-expect-error: no such delivery
add.with({ delivery: "exactly-once" });
// @ts-expect-error: a label is text, a number, a boolean or null
add.with({ labels: { a: new Date() } });
// @ts-expect-error: no such setting of results
add.with({ result: { keeep: true } });
// @ts-expect-error: keep is true or false
add.with({ result: { keep: "yes" } });
// @ts-expect-error: a broker is a URL or a driver
add.with({ broker: 5 });

// Options of a task.
app.task("options", { queue: "q", attempts: 5, backoff: (attempt) => attempt * 1000, retryOn: [RangeError] }, () => 1);
app.task("predicate", { retryOn: (error, attempt) => error instanceof RangeError && attempt < 3 }, () => 1);
// @ts-expect-error: an id is an option of one job
app.task("wrong", { id: "x" }, () => 1);
// @ts-expect-error: a delay is an option of one job
app.task("wrong", { delay: "1s" }, () => 1);
// @ts-expect-error: no such option
app.task("wrong", { atempts: 5 }, () => 1);
// @ts-expect-error: not a class of errors
app.task("wrong", { retryOn: Date }, () => 1);
// @ts-expect-error: no handler
app.task("wrong");
// @ts-expect-error: a name is text
app.task(5, () => 1);

// Signatures bind the last arguments; what is missing is to be given.
expectTypeOf(add.s(1, 2)).toEqualTypeOf<Signature<[], number>>();
expectTypeOf(add.s(2)).toEqualTypeOf<Signature<[a: number], number>>();
expectTypeOf(add.s()).toEqualTypeOf<Signature<[a: number, b: number], number>>();
expectTypeOf(await add.s(2).enqueue(1).result()).toEqualTypeOf<number>();
expectTypeOf(add.s(2).with({ queue: "q" })).toEqualTypeOf<Signature<[a: number], number>>();
expectTypeOf(bound.s(2)).toEqualTypeOf<Signature<[a: number], number>>();
const mixed = app.task("mixed", (a: number, b: string, c: boolean) => [a, b, c]);
expectTypeOf(mixed.s(true)).toEqualTypeOf<Signature<[a: number, b: string], (string | number | boolean)[]>>();
mixed.s("b", true).enqueue(1);
// @ts-expect-error: not the last argument
mixed.s("b");
// @ts-expect-error: in the wrong order
mixed.s(true, "b");
// @ts-expect-error: too many
add.s(1, 2, 3);
// @ts-expect-error: the first argument is still missing
add.s(2).enqueue();
// @ts-expect-error: nothing is missing
add.s(1, 2).enqueue(3);
// @ts-expect-error: what is missing is a number
mixed.s("b", true).enqueue("a");
// @ts-expect-error: no such option
add.s(2).with({ prority: 1 });

// Class tasks.
class Invoice extends TaskHandler<[id: string, amount: number], { paid: boolean }> {
  async handle(id: string, amount: number) {
    return { paid: id !== "" && amount > 0 };
  }
  override failed(error: Error, id: string) {
    expectTypeOf(error).toEqualTypeOf<Error>();
    expectTypeOf(id).toEqualTypeOf<string>();
  }
  override shouldRetry(_error: Error, attempt: number) {
    return attempt < 3;
  }
}
const invoice = app.task("invoice", { attempts: 5 }, Invoice);
expectTypeOf(invoice("a", 1)).toEqualTypeOf<Promise<{ paid: boolean }>>();
expectTypeOf(await invoice.enqueue("a", 1).result()).toEqualTypeOf<{ paid: boolean }>();
expectTypeOf(app.task("plain", Invoice).enqueue).parameters.toEqualTypeOf<[id: string, amount: number]>();
// @ts-expect-error: wrong argument type
invoice.enqueue(1, "a");
// @ts-expect-error: wrong argument type inline
invoice(1, "a");
// @ts-expect-error: no such option
app.task("wrong", { atempts: 5 }, Invoice);
export class Wrong extends TaskHandler<[id: string], void> {
  // @ts-expect-error: the id is text
  async handle(_id: number) {}
}
export class WrongRetry extends TaskHandler<[], void> {
  handle() {}
  // @ts-expect-error: yes or no
  override shouldRetry() {
    return "yes";
  }
}
class Careless extends TaskHandler<[id: string, amount: number], void> {
  handle(_id: string) {}
}
expectTypeOf(app.task("careless", Careless).enqueue).parameters.toEqualTypeOf<[id: string, amount: number]>();
class Bare extends TaskHandler {
  handle(n: number) {
    return n;
  }
}
expectTypeOf(app.task("bare", Bare).enqueue).parameters.toEqualTypeOf<[n: number]>();
class NoHandler {
  handle() {}
}
// @ts-expect-error: a class of handlers extends TaskHandler
app.task("wrong", NoHandler);
class Sync extends TaskHandler<[], number> {
  handle() {
    return 1;
  }
}
expectTypeOf(app.task("sync", Sync)()).toEqualTypeOf<Promise<number>>();

// Without an app.
const shared = task("shared", (a: number) => `${a}`);
expectTypeOf(app.register(shared)).toEqualTypeOf(shared);
expectTypeOf(await shared.enqueue(1).result()).toEqualTypeOf<string>();
// @ts-expect-error: wrong argument type
shared.enqueue("1");
// @ts-expect-error: a function is no task
app.register((a: number) => a);

// Stubs.
const remote = app.remoteTask<[number, string], { ok: boolean }>("proj.remote", { queue: "celery" });
expectTypeOf(remote).toEqualTypeOf<RemoteTask<[number, string], { ok: boolean }>>();
expectTypeOf(await remote.enqueue(1, "a").result()).toEqualTypeOf<{ ok: boolean }>();
expectTypeOf(remote.with({ priority: 1 }).enqueue).parameters.toEqualTypeOf<[number, string]>();
// @ts-expect-error: wrong argument type
remote.enqueue("1", "a");
// @ts-expect-error: a remote task cannot be called here
remote(1, "a");
// @ts-expect-error: no such option
app.remoteTask("x", { qeue: "celery" });

// By name.
expectTypeOf(app.send("x", { args: [1], kwargs: { a: 1 }, queue: "q" })).toEqualTypeOf<PendingJob<unknown>>();
expectTypeOf(app.job<number>("id")).toEqualTypeOf<Job<number>>();
expectTypeOf(app.job("id")).toEqualTypeOf<Job<unknown>>();
// @ts-expect-error: no such option
app.send("x", { arguments: [1] });
