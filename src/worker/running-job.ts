import type { Settings } from "../config/resolve.js";
import type { DeadReason, Logger, OutcomeRecord } from "../contracts/index.js";
import type { Backoff } from "../job/backoff.js";
import type { JobMessage } from "../job/message.js";
import type { Delivery, Labels } from "../job/options.js";
import { withFields } from "../logger.js";
import type { ExecutingJob } from "../middleware/middleware.js";
import type { Services } from "../runtime.js";
import type { TaskDefinition, TaskHandler } from "../task.js";
import type { TakenJob } from "./taken-job.js";

/** What a running job asks of its worker. */
export interface JobHost extends Services {
  readonly settings: Settings;
  report(job: RunningJob, report: { readonly progress?: unknown; readonly line?: string }): Promise<void>;
  extend(job: RunningJob): Promise<boolean>;
  /** Completes the job in a transaction of the user's. */
  completeIn(job: RunningJob, transaction: object, result: unknown): Promise<void>;
}

/** What a job is completed with in a transaction of the user's, if that commits. */
export interface Completion {
  readonly result: unknown;
  /** Absent where no outcome is kept. */
  readonly outcome: OutcomeRecord | undefined;
}

const NO_LABELS: Labels = Object.freeze({});

/**
 * One attempt in a worker. What few handlers ask for (the signal, the logger, dates) is made when asked for: an abort
 * controller alone costs 0.6 microseconds, a tenth of a small job.
 */
export class RunningJob implements ExecutingJob {
  readonly claimed: TakenJob;
  readonly definition: TaskDefinition;
  readonly message: JobMessage;
  args: readonly unknown[];
  labels: Labels;
  /** Epoch ms. */
  startedAt = 0;
  /** What ended the attempt is decided: whatever the handler still does has no effect. */
  concluded = false;
  /** The handler's instance, of a class task. */
  instance: TaskHandler | undefined = undefined;
  /** What is being validated, if anything is: an error meanwhile says that this does not fit. */
  checking: DeadReason | undefined = undefined;
  /** Settled before it ran, as `delivery: "at-most-once"` asks; a broadcast is so from the start. */
  settledFirst: boolean;
  /** Completed in a transaction of the user's, which may or may not have been committed. */
  completion: Completion | undefined = undefined;
  readonly #host: JobHost;
  #controller: AbortController | undefined;
  #abort: { readonly reason: Error } | undefined;

  constructor(claimed: TakenJob, message: JobMessage, definition: TaskDefinition, host: JobHost) {
    this.claimed = claimed;
    this.message = message;
    this.definition = definition;
    this.#host = host;
    this.settledFirst = claimed.broadcast === true;
    const { kwargs, labels } = message.options;
    this.args = kwargs === undefined ? message.args : [...message.args, kwargs];
    const own = definition.options.labels;
    this.labels = own === undefined ? (labels ?? NO_LABELS) : { ...own, ...labels };
  }

  get id(): string {
    return this.claimed.id;
  }

  get task(): string {
    return this.definition.name;
  }

  get queue(): string {
    return this.claimed.queue;
  }

  get attempt(): number {
    return (this.message.earlier ?? 0) + this.claimed.attempt;
  }

  /** It was heard, not claimed: whatever becomes of it is not kept. */
  get broadcast(): boolean {
    return this.claimed.broadcast === true;
  }

  get attempts(): number {
    if (this.broadcast) return 1;
    return this.message.options.attempts ?? this.definition.options.attempts ?? this.#host.settings.defaults.attempts;
  }

  get backoff(): Backoff {
    return this.message.options.backoff ?? this.definition.options.backoff ?? this.#host.settings.defaults.backoff;
  }

  /** Milliseconds, if limited. */
  get timeout(): number | undefined {
    return this.message.options.timeout ?? this.definition.options.timeout ?? this.#host.settings.defaults.timeout;
  }

  get delivery(): Delivery {
    return this.message.options.delivery ?? this.definition.options.delivery ?? this.#host.settings.defaults.delivery;
  }

  get keepsResult(): boolean {
    if (this.broadcast) return false;
    const { defaults } = this.#host.settings;
    return this.message.options.result?.keep ?? this.definition.options.result?.keep ?? defaults.result.keep;
  }

  /** Milliseconds; undefined: until forgotten. */
  get resultTtl(): number | undefined {
    const { defaults } = this.#host.settings;
    return this.message.options.result?.ttl ?? this.definition.options.result?.ttl ?? defaults.result.ttl;
  }

  get enqueuedAt(): Date {
    return new Date(this.message.enqueuedAt);
  }

  get parentId(): string | undefined {
    return this.message.options.parentId;
  }

  get rootId(): string {
    return this.message.options.rootId ?? this.id;
  }

  get logger(): Logger {
    return withFields(this.#host.logger, { job: this.id, task: this.task, attempt: this.attempt });
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#abort !== undefined) this.#controller.abort(this.#abort.reason);
    }
    return this.#controller.signal;
  }

  /** Why the job was told to stop, if it was. */
  get abortReason(): Error | undefined {
    return this.#abort?.reason;
  }

  /** Tells the handler to stop. Only the first reason counts. */
  abort(reason: Error): void {
    if (this.#abort !== undefined) return;
    this.#abort = { reason };
    this.#controller?.abort(reason);
  }

  async progress(value: unknown): Promise<void> {
    // Its runs on other workers have the same id: what they reported would only overwrite one another.
    if (!this.broadcast) await this.#host.report(this, { progress: value });
  }

  async log(line: string): Promise<void> {
    if (this.broadcast) return this.logger.info({}, line);
    return this.#host.report(this, { line });
  }

  async extend(): Promise<boolean> {
    // In a transaction of the user's it is the transaction that holds the job, until it ends.
    return this.broadcast || this.completion !== undefined || this.#host.extend(this);
  }

  /** Writes before it returns where the driver's client is synchronous. */
  async completeIn(transaction: object, result?: unknown): Promise<void> {
    return this.#host.completeIn(this, transaction, result);
  }
}
