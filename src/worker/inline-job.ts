import type { Logger } from "../contracts/index.js";
import { type CurrentJob, runAs, runningJob } from "../job/current.js";
import type { Labels } from "../job/options.js";
import { withFields } from "../logger.js";
import type { Services } from "../runtime.js";
import type { TaskDefinition } from "../task.js";

const NO_LABELS: Labels = Object.freeze({});

/** The current job of a task that is called directly: it runs once, here, and nobody else can see it. */
class InlineJob implements CurrentJob {
  readonly id: string;
  readonly task: string;
  readonly queue: string;
  readonly attempt = 1;
  readonly attempts = 1;
  readonly labels: Labels;
  readonly enqueuedAt: Date;
  readonly parentId: string | undefined;
  readonly rootId: string;
  readonly logger: Logger;
  readonly #outer = runningJob();

  constructor({ name, options }: TaskDefinition, services: Services) {
    const now = services.clock.now();
    this.id = services.generateId(now);
    this.task = name;
    this.queue = options.queue ?? "default";
    this.labels = options.labels ?? NO_LABELS;
    this.enqueuedAt = new Date(now);
    this.parentId = this.#outer?.id;
    this.rootId = this.#outer?.rootId ?? this.id;
    this.logger = withFields(services.logger, { job: this.id, task: name });
  }

  /** The signal of the job whose handler made the call; one that never aborts where there is none. */
  get signal(): AbortSignal {
    return this.#outer?.signal ?? NEVER;
  }

  async progress(): Promise<void> {}

  async log(line: string): Promise<void> {
    this.logger.info({}, line);
  }

  async extend(): Promise<boolean> {
    return this.#outer?.extend() ?? true;
  }

  /** There is no job in any broker that could be completed: the call itself is all there is. */
  async completeIn(): Promise<void> {}
}

const NEVER = new AbortController().signal;

/** Calls a task here and now, as its own job, so that `currentJob()` works in it. */
export function runInline(definition: TaskDefinition, args: readonly unknown[], services: Services): unknown {
  const { handler } = definition;
  const job = new InlineJob(definition, services);
  if (!definition.isClass) return runAs(job, handler as (...args: never[]) => unknown, args);
  const Handler = handler as new () => { handle(...args: never[]): unknown };
  const instance = new Handler();
  // Typed as a promise for every class: `handle` may be either.
  return Promise.resolve(runAs(job, (...given: never[]) => instance.handle(...given), args));
}
