/**
 * The distributed async task queue that runs on what you already have.
 *
 * @module
 */
export { type SendOptions, Taskwright, type TaskwrightOptions } from "./app.js";
export type { DefaultsConfig, TaskwrightConfig, WorkerConfig } from "./config/schema.js";
export type { ContextFactory, ContextScope } from "./context.js";
export type { Clock, Driver, Logger, Migration } from "./contracts/index.js";
export type { DrainReport } from "./drain.js";
export type { PendingJob } from "./enqueue/pending.js";
export type { EventListener, EventMap, EventName } from "./events.js";
export type { Inspect, JobFilter, JobView, PlaceReport } from "./inspect/inspect.js";
export type { Backoff } from "./job/backoff.js";
export type { CustomType, ErrorRegistry, TypeRegistry } from "./job/codec/index.js";
export { type CurrentJob, currentJob } from "./job/current.js";
export { DeadLetter, Discard, Retry, Snooze } from "./job/decisions.js";
export type { Duration } from "./job/duration.js";
export * from "./job/errors.js";
export type { Job, ResultWait } from "./job/handle.js";
export type { AttemptRecord } from "./job/history.js";
export type { JobMessage, OutgoingMessage } from "./job/message.js";
export type { Delivery, ExecutionOptions, JobOptions, Labels, LabelValue, ResultOptions } from "./job/options.js";
export type { Outcome } from "./job/outcome.js";
export type { Decision, ExecutingJob, HandlerOutcome, Middleware, SavedOutcome } from "./middleware/middleware.js";
export type { MigrateOptions, MigrationReport } from "./migrate.js";
export type { JobState } from "./results/job-state.js";
export type { ProgressStream } from "./results/progress-stream.js";
export type { Signature, SignatureData } from "./signature.js";
export {
  type AnyTask,
  type ArgsOptions,
  type BoundTask,
  type InputOptions,
  isTask,
  type RemoteTask,
  type RetryOn,
  type Task,
  TaskHandler,
  type TaskOptions,
  task,
} from "./task.js";
export type { WorkerRecord } from "./worker/registry.js";
export type { Worker, WorkerOptions, WorkerStats } from "./worker/worker.js";
