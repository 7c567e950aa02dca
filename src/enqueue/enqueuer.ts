import type { OutgoingJob, PublishStatus } from "../contracts/index.js";
import { validateArgs } from "../job/arguments.js";
import { runningJob } from "../job/current.js";
import { ConfigError } from "../job/errors.js";
import { Job, type JobAccess } from "../job/handle.js";
import { encodeMessage, type OutgoingMessage } from "../job/message.js";
import type { ResolvedOptions } from "../job/options.js";
import type { Route } from "../route.js";
import { type Runtime, routeFor } from "../runtime.js";
import { after, type MaybePromise } from "../settled.js";
import type { TaskDefinition } from "../task.js";
import { PendingJob } from "./pending.js";

/** One call on its way: which task, with what. */
interface Call {
  readonly definition: TaskDefinition;
  readonly args: readonly unknown[];
  readonly options: ResolvedOptions;
}

interface Prepared {
  readonly message: OutgoingMessage;
  readonly job: OutgoingJob;
}

/** Makes jobs of calls: composes the message, lets middleware and schemas see it, encodes it and publishes it. */
export class Enqueuer {
  readonly #connected: () => MaybePromise<Runtime>;
  /** Runs what was enqueued, where the driver says that jobs run at enqueue. */
  readonly #drain: () => Promise<unknown>;

  constructor(connected: () => MaybePromise<Runtime>, drain: () => Promise<unknown>) {
    this.#connected = connected;
    this.#drain = drain;
  }

  enqueue<R>(definition: TaskDefinition, args: readonly unknown[], options: ResolvedOptions): PendingJob<R> {
    const call: Call = { definition, args, options };
    return new PendingJob((resolve, reject) => {
      try {
        const done = after(this.#connected(), (runtime) => this.#send<R>(runtime, call));
        if (done instanceof Promise) done.then(resolve, reject);
        else resolve(done);
      } catch (error) {
        reject(error);
      }
    });
  }

  async enqueueMany<R>(
    definition: TaskDefinition,
    argsList: readonly (readonly unknown[])[],
    options: ResolvedOptions,
  ): Promise<Job<R>[]> {
    const runtime = await this.#connected();
    const route = await routeFor(runtime, options);
    const prepared: Prepared[] = [];
    for (const args of argsList) {
      const one = prepare(runtime, { definition, args, options });
      prepared.push(one instanceof Promise ? await one : one);
    }
    const statuses = await route.publishAll(
      prepared.map(({ job }) => job),
      options.tx,
    );
    const handles = prepared.map((one, index) =>
      this.#sent<R>(runtime, route, one, options, statuses[index] ?? "created"),
    );
    if (route.at.driver.inline) await this.#drain();
    return Promise.all(handles);
  }

  #send<R>(runtime: Runtime, call: Call): MaybePromise<Job<R>> {
    return after(routeFor(runtime, call.options), (route) =>
      after(prepare(runtime, call), (prepared) => this.#publish<R>(runtime, route, prepared, call.options)),
    );
  }

  /** In a transaction of the user's nothing may be awaited before the write, so those calls do not join a batch. */
  async #publish<R>(runtime: Runtime, route: Route, prepared: Prepared, options: ResolvedOptions): Promise<Job<R>> {
    const status =
      options.tx === undefined
        ? await route.publish(prepared.job)
        : (await route.publishAll([prepared.job], options.tx))[0];
    if (route.at.driver.inline) await this.#drain();
    return this.#sent(runtime, route, prepared, options, status ?? "created");
  }

  #sent<R>(
    runtime: Runtime,
    route: Route,
    { message }: Prepared,
    options: ResolvedOptions,
    status: PublishStatus,
  ): MaybePromise<Job<R>> {
    const duplicate = status === "duplicate";
    if (runtime.events.wanted("job:enqueued")) {
      runtime.events.emit("job:enqueued", { id: message.id, task: message.task, queue: message.queue, duplicate });
    }
    const keepsResult = message.result?.keep ?? options.result?.keep ?? runtime.settings.defaults.result.keep;
    const access: JobAccess = { runtime, route };
    const job = new Job<R>({ id: message.id, duplicate, keepsResult }, async () => access);
    return after(runtime.middleware.postSend(message), () => job);
  }
}

function prepare(runtime: Runtime, call: Call): MaybePromise<Prepared> {
  const message = compose(runtime, call);
  return after(runtime.middleware.preSend(message), (changed) =>
    after(validateArgs(call.definition, changed.args), () => ({
      message: changed,
      job: encodeMessage(changed, runtime.codec),
    })),
  );
}

/** Lays the call's options over the task's, and those over the app's defaults. */
function compose(runtime: Runtime, { definition, args, options }: Call): OutgoingMessage {
  const { defaults } = runtime.settings;
  const base = definition.options;
  const message: OutgoingMessage = {
    id: options.id ?? runtime.generateId(),
    unique: options.id !== undefined,
    task: definition.name,
    queue: options.queue ?? base.queue ?? defaults.queue,
    priority: options.priority ?? base.priority ?? defaults.priority,
    args,
    enqueuedAt: runtime.clock.now(),
  };
  const expires =
    options.expires ?? base.expires ?? (defaults.expires === undefined ? undefined : { in: defaults.expires });
  if (expires !== undefined) message.expires = expires;
  if (options.notBefore !== undefined) message.notBefore = options.notBefore;
  if (base.labels !== undefined || options.labels !== undefined) message.labels = { ...base.labels, ...options.labels };
  addOverrides(message, definition.handler === undefined ? { ...base, ...options } : options);
  addLineage(message);
  return message;
}

/**
 * What the worker cannot know from its own definition of the task travels along: the call's options, and for a task that
 * lives elsewhere those of the stub.
 */
function addOverrides(message: OutgoingMessage, options: ResolvedOptions): void {
  if (options.kwargs !== undefined) message.kwargs = options.kwargs;
  if (options.attempts !== undefined) message.attempts = options.attempts;
  if (typeof options.backoff === "function") {
    throw new ConfigError(
      "a backoff function cannot travel with a job: give it to the task, or describe it as an object",
    );
  }
  if (options.backoff !== undefined) message.backoff = options.backoff;
  if (options.timeout !== undefined) message.timeout = options.timeout;
  if (options.delivery !== undefined) message.delivery = options.delivery;
  if (options.result !== undefined) message.result = options.result;
}

function addLineage(message: OutgoingMessage): void {
  const parent = runningJob();
  if (parent === undefined) return;
  message.parentId = parent.id;
  message.rootId = parent.rootId;
}
