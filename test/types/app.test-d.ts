/** What must and must not compile about apps, workers, events and middleware. Compiled by `compile.test.ts`, never run. */
import {
  currentJob,
  Discard,
  type EventMap,
  type JobState,
  type Middleware,
  Retry,
  Snooze,
  Taskwright,
  type WorkerStats,
} from "taskwright";
import { memory } from "taskwright/drivers/memory";
import { sqlite } from "taskwright/drivers/sqlite";
import { FakeClock } from "taskwright/testing";
import { expectTypeOf } from "vitest";

// Settings.
new Taskwright({
  broker: "sqlite:./jobs.db",
  defaults: { attempts: 3, timeout: "10m" },
  worker: { queues: { mail: 2 } },
});
new Taskwright({ broker: memory({ inline: true }), backend: sqlite({ path: "./a.db" }), clock: new FakeClock() });
// @ts-expect-error: no such setting
new Taskwright({ brokr: "memory:" });
// @ts-expect-error: no such level
new Taskwright({ logLevel: "loud" });
// @ts-expect-error: no such default
new Taskwright({ defaults: { atempts: 3 } });
// @ts-expect-error: no such codec
new Taskwright({ codec: "xml" });
// @ts-expect-error: no such option of the driver
memory({ inlined: true });

// The context has the type that its factory makes.
const app = new Taskwright({
  context: async (scope) => {
    scope.onClose(() => {});
    return { pool: { size: 5 } };
  },
});
expectTypeOf(app.context).toEqualTypeOf<{ pool: { size: number } }>();
expectTypeOf(await app.openContext()).toEqualTypeOf<{ pool: { size: number } }>();
expectTypeOf(new Taskwright().context).toEqualTypeOf<undefined>();
// @ts-expect-error: no such thing in the context
app.context.database;

// Workers.
const worker = app.worker({
  queues: ["a"],
  concurrency: 5,
  prefetch: 1,
  lease: "30s",
  ack: "executed",
  order: "weighted",
});
expectTypeOf(worker.stats).toEqualTypeOf<WorkerStats>();
expectTypeOf(worker.start()).toEqualTypeOf<Promise<void>>();
await worker.stop({ grace: "5s" });
// @ts-expect-error: no such option
app.worker({ concurency: 5 });
// @ts-expect-error: no such order
app.worker({ order: "random" });
// @ts-expect-error: no such option
worker.stop({ within: "5s" });

// Events.
app.on("job:completed", ({ id, duration }) => {
  expectTypeOf(id).toEqualTypeOf<string>();
  expectTypeOf(duration).toEqualTypeOf<number>();
});
worker.on("job:dead", (event) => expectTypeOf(event).toEqualTypeOf<EventMap["job:dead"][0]>());
// @ts-expect-error: no such event
app.on("job:finished", () => {});
// @ts-expect-error: a completed job has no error
app.on("job:completed", ({ error }) => error);

// The running job.
const job = currentJob();
expectTypeOf(job.signal).toEqualTypeOf<AbortSignal>();
expectTypeOf(job.attempt).toEqualTypeOf<number>();
expectTypeOf(job.enqueuedAt).toEqualTypeOf<Date>();
expectTypeOf(job.parentId).toEqualTypeOf<string | undefined>();
expectTypeOf(job.extend()).toEqualTypeOf<Promise<boolean>>();
// @ts-expect-error: a job's id stays
job.id = "other";
// @ts-expect-error: a log line is text
job.log(5);

// Handles.
const handle = app.job<number>("id");
expectTypeOf(await handle.state()).toEqualTypeOf<JobState>();
expectTypeOf(await handle.cancel()).toEqualTypeOf<"cancelled" | "requested" | "absent">();
for await (const value of handle.progress()) expectTypeOf(value).toEqualTypeOf<unknown>();
// @ts-expect-error: no such state
export const never: boolean = (await handle.state()) === "running";

// Decisions.
export const decisions = [new Retry({ delay: "30s", cause: new Error("why") }), new Snooze("1m"), new Discard()];
// @ts-expect-error: a snooze needs to know for how long
export const endless = new Snooze();
// @ts-expect-error: a reason is text
export const unreasonable = new Discard({});

// Middleware.
app.use({
  preSend(message) {
    message.labels = { ...message.labels, host: "a" };
    // @ts-expect-error: a message's id stays
    message.id = "other";
  },
  preExecute(executing) {
    executing.args = [1];
    // @ts-expect-error: an attempt is what it is
    executing.attempt = 1;
  },
  postExecute(_, outcome) {
    if (outcome.ok) expectTypeOf(outcome.value).toEqualTypeOf<unknown>();
    else expectTypeOf(outcome.error).toEqualTypeOf<unknown>();
  },
  onError: (_, error) => (error instanceof RangeError ? new Retry() : undefined),
});
// @ts-expect-error: no such hook
app.use({ beforeSend() {} });
// @ts-expect-error: no decision
app.use({ onError: () => "retry" } satisfies Middleware);
