import type { OutgoingJob, PublishStatus } from "../contracts/index.js";
import { validateArgs } from "../job/arguments.js";
import { runningJob } from "../job/current.js";
import { ConfigError } from "../job/errors.js";
import { Job, type JobAccess } from "../job/handle.js";
import { encodeMessage, type OutgoingMessage } from "../job/message.js";
import type { ResolvedOptions } from "../job/options.js";
import type { Publishing, Route } from "../route.js";
import { type Runtime, routeFor } from "../runtime.js";
import { after, isPromise, type MaybePromise } from "../settled.js";
import type { TaskDefinition } from "../task.js";
import { runInline } from "./inline.js";
import { PendingJob } from "./pending.js";

/** One call on its way: which task, with what. */
interface Call {
  readonly definition: TaskDefinition;
  readonly args: readonly unknown[];
  readonly options: ResolvedOptions;
}

interface Prepared {
  readonly definition: TaskDefinition;
  readonly message: OutgoingMessage;
  readonly job: OutgoingJob;
}

/** Copies what can be sent. What cannot is named by `name` in the error. */
type Copy = <T>(value: T, name: string) => T;

/** Makes jobs of calls: composes the message, lets middleware and schemas see it, encodes it and publishes it. */
export class Enqueuer {
  readonly #connected: () => MaybePromise<Runtime>;
  /** Runs what was enqueued, where the driver says that jobs run at enqueue. */
  readonly #drain: () => Promise<unknown>;
  readonly #copy: Copy;

  constructor(connected: () => MaybePromise<Runtime>, drain: () => Promise<unknown>, copy: Copy) {
    this.#connected = connected;
    this.#drain = drain;
    this.#copy = copy;
  }

  enqueue<R>(definition: TaskDefinition, args: readonly unknown[], options: ResolvedOptions): PendingJob<R> {
    return new PendingJob((resolve, reject) => {
      const failed = this.#routed(args, options, (at, sent, given) =>
        this.#send(at, { definition, args: sent, options: given }, resolve, reject),
      );
      if (isPromise(failed)) failed.then(undefined, reject);
    });
  }

  async enqueueMany<R>(
    definition: TaskDefinition,
    argsList: readonly (readonly unknown[])[],
    options: ResolvedOptions,
  ): Promise<Job<R>[]> {
    return this.#routed(argsList, options, (at, list, given) => {
      const calls = list.map((args) => ({ definition, args, options: given }));
      return after(prepareAll(at.runtime, calls), (prepared) => this.#sendAll<R>(at, prepared, given));
    });
  }

  /**
   * Finds the way of a call, and sends it. One that has to wait for a connection is copied before: what the caller does to
   * its arguments afterwards must not reach the job.
   */
  #routed<Args, T>(
    args: Args,
    options: ResolvedOptions,
    send: (at: JobAccess, args: Args, options: ResolvedOptions) => MaybePromise<T>,
  ): MaybePromise<T> {
    const at = after(this.#connected(), (runtime) =>
      after(routeFor(runtime, options), (route): JobAccess => ({ runtime, route })),
    );
    if (!isPromise(at)) return send(at, args, options);
    // By the time it is open the transaction may be over, and a synchronous one certainly is.
    if (options.tx !== undefined)
      return Promise.reject(new ConfigError("await app.connect() before enqueueing in a transaction"));
    return Promise.all([at, this.#copied(args, options)]).then(([open, copy]) => send(open, copy.args, copy.options));
  }

  /** Asynchronous only so that what cannot be copied rejects like all else: it copies before it returns. */
  async #copied<Args>(args: Args, options: ResolvedOptions): Promise<{ args: Args; options: ResolvedOptions }> {
    const { kwargs } = options;
    const kept = kwargs === undefined ? options : { ...options, kwargs: this.#copy(kwargs, "kwargs") };
    return { args: this.#copy(args, "args"), options: kept };
  }

  /** A call that need not wait for anything reaches its batch with no promise but the caller's own. */
  #send<R>(at: JobAccess, call: Call, resolve: Resolve<R>, reject: Reject): MaybePromise<void> {
    const { options } = call;
    const { runtime, route } = at;
    return after(prepare(runtime, call), (prepared) => {
      const sending = new Sending<R>(runtime, route, prepared, resolve, reject);
      // In a transaction of the user's nothing may be awaited before the write, so those calls join no batch.
      if (options.tx !== undefined) return this.#sendAlone(at, sending, options.tx);
      if (route.at.driver.inline) return this.#sendAlone(at, sending);
      return route.publish(sending);
    });
  }

  async #sendAll<R>(at: JobAccess, all: readonly Prepared[], options: ResolvedOptions): Promise<Job<R>[]> {
    const { runtime, route } = at;
    const sendings = all.map((prepared) => new Sending<R>(runtime, route, prepared));
    const statuses = await route.publishAll(
      sendings.map(({ job }) => job),
      options.tx,
    );
    const created = sendings.filter((_, index) => statuses[index] === "created");
    await this.#runInline(at, created);
    const handles = sendings.map((sending, index) => sending.sent(statuses[index]));
    return handles.some(isPromise) ? Promise.all(handles) : (handles as Job<R>[]);
  }

  async #sendAlone<R>(at: JobAccess, sending: Sending<R>, transaction?: object): Promise<void> {
    const [status] = await sending.route.publishAll([sending.job], transaction);
    await this.#runInline(at, status === "created" ? [sending] : []);
    sending.published(status);
  }

  /** A duplicate is not waited for: it may be the very job whose handler makes this call. */
  async #runInline<R>(at: JobAccess, created: readonly Sending<R>[]): Promise<void> {
    if (!at.route.at.driver.inline || created.length === 0) return;
    const ids = created.map(({ job }) => job.id);
    await runInline(at, ids, this.#drain);
  }
}

type Resolve<R> = (job: MaybePromise<Job<R>>) => void;
type Reject = (error: unknown) => void;

/** One job on its way to its broker, and who waits for the answer. */
class Sending<R> implements Publishing {
  readonly job: OutgoingJob;
  readonly route: Route;
  readonly #runtime: Runtime;
  readonly #message: OutgoingMessage;
  readonly #definition: TaskDefinition;
  readonly #resolve: Resolve<R> | undefined;
  readonly #reject: Reject | undefined;

  constructor(
    runtime: Runtime,
    route: Route,
    { definition, job, message }: Prepared,
    resolve?: Resolve<R>,
    reject?: Reject,
  ) {
    this.job = job;
    this.route = route;
    this.#runtime = runtime;
    this.#message = message;
    this.#definition = definition;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  published(status: PublishStatus | undefined): void {
    this.#resolve?.(this.sent(status));
  }

  failed(error: unknown): void {
    this.#reject?.(error);
  }

  /** The broker has it: tells of it, and makes the handle. */
  sent(status: PublishStatus | undefined): MaybePromise<Job<R>> {
    const { events, middleware, settings } = this.#runtime;
    const { id, task, queue, result } = this.#message;
    const duplicate = status === "duplicate";
    if (events.wanted("job:enqueued")) events.emit("job:enqueued", { id, task, queue, duplicate });
    const keepsResult = result?.keep ?? this.#definition.options.result?.keep ?? settings.defaults.result.keep;
    const job = new Job<R>(id, this.route.access(this.#runtime), duplicate, keepsResult);
    const told = middleware.postSend(this.#message);
    return isPromise(told) ? told.then(() => job) : job;
  }
}

function prepareAll(runtime: Runtime, calls: readonly Call[]): MaybePromise<Prepared[]> {
  const prepared = calls.map((call) => prepare(runtime, call));
  return prepared.some(isPromise) ? Promise.all(prepared) : (prepared as Prepared[]);
}

function prepare(runtime: Runtime, call: Call): MaybePromise<Prepared> {
  const message = runtime.middleware.preSend(compose(runtime, call));
  if (isPromise(message)) return message.then((changed) => checkAndEncode(runtime, call, changed));
  return checkAndEncode(runtime, call, message);
}

function checkAndEncode(runtime: Runtime, { definition }: Call, message: OutgoingMessage): MaybePromise<Prepared> {
  const { args, kwargs } = message;
  const checked = validateArgs(definition, kwargs === undefined ? args : [...args, kwargs]);
  if (isPromise(checked)) return checked.then(() => encode(runtime, definition, message));
  return encode(runtime, definition, message);
}

function encode({ codec }: Runtime, definition: TaskDefinition, message: OutgoingMessage): Prepared {
  return { definition, message, job: encodeMessage(message, codec) };
}

/** Lays the call's options over the task's, and those over the app's defaults. */
function compose(runtime: Runtime, { definition, args, options }: Call): OutgoingMessage {
  const { defaults } = runtime.settings;
  const base = definition.options;
  const enqueuedAt = runtime.clock.now();
  const message: OutgoingMessage = {
    id: options.id ?? runtime.generateId(enqueuedAt),
    unique: options.id !== undefined,
    task: definition.name,
    queue: options.queue ?? base.queue ?? defaults.queue,
    priority: options.priority ?? base.priority ?? defaults.priority,
    args,
    enqueuedAt,
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
