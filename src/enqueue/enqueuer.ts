import type { OutgoingJob, PublishStatus } from "../contracts/index.js";
import { validateArgs } from "../job/arguments.js";
import { refuseContradictions } from "../job/call-options.js";
import { runningJob } from "../job/current.js";
import { ConfigError } from "../job/errors.js";
import { Job, type JobAccess } from "../job/handle.js";
import type { OutgoingMessage } from "../job/message.js";
import type { ResolvedOptions } from "../job/options.js";
import { fits, tooLong } from "../job/size.js";
import type { Route, SendingOptions } from "../route.js";
import { type Runtime, routeFor } from "../runtime.js";
import { after, isPromise, type MaybePromise } from "../settled.js";
import type { TaskDefinition } from "../task.js";
import { isAsynchronous } from "../transactions.js";
import { runInline } from "./inline.js";
import { PendingJob } from "./pending.js";
import type { Publishing } from "./publishing.js";

/** One call on its way: which task, with what. */
interface Call {
  readonly definition: TaskDefinition;
  readonly args: readonly unknown[];
  readonly options: ResolvedOptions;
}

interface Prepared {
  readonly definition: TaskDefinition;
  readonly broadcast: boolean;
  readonly message: OutgoingMessage;
  readonly job: OutgoingJob;
}

/** Runs jobs here, for drivers that say that jobs run at enqueue. */
export interface InlineRunner {
  /** Runs what is due. */
  drain(): Promise<unknown>;
  /** Runs what is broadcast to these queues while `send` sends. */
  hear<T>(queues: readonly string[], send: () => Promise<T>): Promise<T>;
}

/** Copies what can be sent. What cannot is named by `name` in the error. */
type Copy = <T>(value: T, name: string) => T;

/** Makes jobs of calls: composes the message, lets middleware and schemas see it, encodes it and publishes it. */
export class Enqueuer {
  readonly #connected: () => MaybePromise<Runtime>;
  readonly #inline: InlineRunner;
  readonly #copy: Copy;

  constructor(connected: () => MaybePromise<Runtime>, inline: InlineRunner, copy: Copy) {
    this.#connected = connected;
    this.#inline = inline;
    this.#copy = copy;
  }

  enqueue<R>(definition: TaskDefinition, args: readonly unknown[], options: ResolvedOptions): PendingJob<R> {
    return new PendingJob((resolve, reject) => {
      const failed = this.#routed(definition, args, options, (at, sent, given) =>
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
    return this.#routed(definition, argsList, options, (at, list, given) => {
      const calls = list.map((args) => ({ definition, args, options: given }));
      return after(prepareAll(at, calls), (prepared) => this.#sendAll<R>(at, prepared, given.tx));
    });
  }

  /**
   * Finds the way of a call, and sends it. One that has to wait for a connection is copied before: what the caller does to
   * its arguments afterwards must not reach the job.
   */
  #routed<Args, T>(
    definition: TaskDefinition,
    args: Args,
    options: ResolvedOptions,
    send: (at: JobAccess, args: Args, options: ResolvedOptions) => MaybePromise<T>,
  ): MaybePromise<T> {
    const runtime = this.#connected();
    const at = isPromise(runtime)
      ? runtime.then((open) => accessTo(open, definition, options))
      : accessTo(runtime, definition, options);
    if (!isPromise(at)) return send(at, args, options);
    // By the time it is open a synchronous transaction is over; one that answers with promises is waited in.
    if (options.tx !== undefined && !isAsynchronous(options.tx))
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
    return after(prepare(at, call), (prepared) => {
      const sending = new Sending<R>(runtime, route, prepared, resolve, reject);
      // In a transaction of the user's nothing may be awaited before the write, so those calls join no batch.
      if (options.tx !== undefined || route.at.driver.inline) return this.#sendAlone(at, sending, options.tx);
      return route.publish(sending);
    });
  }

  async #sendAll<R>(at: JobAccess, all: readonly Prepared[], transaction?: object): Promise<Job<R>[]> {
    const { runtime, route } = at;
    const sendings = all.map((prepared) => new Sending<R>(runtime, route, prepared));
    const broadcast = all[0]?.broadcast ?? false;
    const jobs = sendings.map(({ job }) => job);
    const statuses = await this.#sendAndRun(at, jobs, { broadcast, transaction });
    const handles = sendings.map((sending, index) => sending.sent(statuses[index]));
    return handles.some(isPromise) ? Promise.all(handles) : (handles as Job<R>[]);
  }

  async #sendAlone<R>(at: JobAccess, sending: Sending<R>, transaction?: object): Promise<void> {
    const { job, broadcast } = sending;
    const [status] = await this.#sendAndRun(at, [job], { broadcast, transaction });
    sending.published(status);
  }

  /** Sends; where the driver says that jobs run at enqueue, they have ended when this resolves. */
  async #sendAndRun(
    at: JobAccess,
    jobs: readonly OutgoingJob[],
    options: SendingOptions,
  ): Promise<readonly PublishStatus[]> {
    const send = (): Promise<PublishStatus[]> => at.route.publishAll(jobs, options);
    if (!at.route.at.driver.inline) return send();
    if (options.broadcast) return this.#inline.hear([...new Set(jobs.map(({ queue }) => queue))], send);
    const statuses = await send();
    // A duplicate is not waited for: it may be the very job whose handler makes this call.
    const created = jobs.filter((_, index) => statuses[index] === "created").map(({ id }) => id);
    if (created.length > 0) await runInline(at, created, this.#inline.drain);
    return statuses;
  }
}

type Resolve<R> = (job: MaybePromise<Job<R>>) => void;
type Reject = (error: unknown) => void;

/** One job on its way to its broker, and who waits for the answer. */
class Sending<R> implements Publishing {
  readonly job: OutgoingJob;
  readonly broadcast: boolean;
  readonly route: Route;
  readonly #runtime: Runtime;
  readonly #message: OutgoingMessage;
  readonly #definition: TaskDefinition;
  readonly #resolve: Resolve<R> | undefined;
  readonly #reject: Reject | undefined;

  constructor(
    runtime: Runtime,
    route: Route,
    { definition, broadcast, job, message }: Prepared,
    resolve?: Resolve<R>,
    reject?: Reject,
  ) {
    this.job = job;
    this.broadcast = broadcast;
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
    const awaitable = this.broadcast ? "nothing" : keepsResult ? "result" : "failure";
    const job = new Job<R>(id, this.route.access(this.#runtime), duplicate, awaitable);
    const told = middleware.postSend(this.#message);
    return isPromise(told) ? told.then(() => job) : job;
  }
}

function accessTo(runtime: Runtime, definition: TaskDefinition, options: ResolvedOptions): MaybePromise<JobAccess> {
  const route = routeFor(runtime, options, queueIn(runtime, definition, options));
  return isPromise(route) ? route.then((open) => ({ runtime, route: open })) : { runtime, route };
}

function prepareAll(at: JobAccess, calls: readonly Call[]): MaybePromise<Prepared[]> {
  const prepared = calls.map((call) => prepare(at, call));
  return prepared.some(isPromise) ? Promise.all(prepared) : (prepared as Prepared[]);
}

function prepare(at: JobAccess, call: Call): MaybePromise<Prepared> {
  const message = at.runtime.middleware.preSend(compose(at, call));
  if (isPromise(message)) return message.then((changed) => checkAndEncode(at, call, changed));
  return checkAndEncode(at, call, message);
}

function checkAndEncode(at: JobAccess, call: Call, message: OutgoingMessage): MaybePromise<Prepared> {
  const { args, kwargs } = message;
  const checked = validateArgs(call.definition, kwargs === undefined ? args : [...args, kwargs]);
  if (isPromise(checked)) return checked.then(() => encode(at, call, message));
  return encode(at, call, message);
}

function encode({ route }: JobAccess, call: Call, message: OutgoingMessage): Prepared {
  const { definition } = call;
  const broadcast = isBroadcast(call);
  if (broadcast) refuseChanges(message);
  const job = route.protocol.encode(message, route.replyTo);
  const { driver } = route.at;
  if (!fits(job.body.length, driver)) throw tooLong(`a job of task "${message.task}"`, job.body.length, driver);
  return { definition, broadcast, message, job };
}

function isBroadcast({ definition, options }: Call): boolean {
  return options.broadcast ?? definition.options.broadcast ?? false;
}

/** Middleware may not make of a broadcast what it cannot be. */
function refuseChanges({ id: _, ...message }: OutgoingMessage): void {
  refuseContradictions({ ...message, broadcast: true }, `task "${message.task}"`);
}

/** Lays the call's options over the task's, and those over the app's defaults. */
function compose({ runtime, route }: JobAccess, call: Call): OutgoingMessage {
  const { definition, args, options } = call;
  const broadcast = isBroadcast(call);
  const base = definition.options;
  const { defaults: usual } = runtime.settings;
  // The app's defaults are about jobs that wait.
  const defaults = broadcast ? { priority: 0, expires: undefined } : usual;
  const enqueuedAt = runtime.clock.now();
  const message: OutgoingMessage = {
    id: options.id ?? runtime.generateId(enqueuedAt),
    unique: options.id !== undefined,
    broadcast,
    task: definition.name,
    queue: options.queue ?? base.queue ?? queueOf(runtime, route),
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

/** The queue of a call, as far as it is known before there is a route. */
function queueIn({ settings }: Runtime, definition: TaskDefinition, options: ResolvedOptions): string {
  return options.queue ?? definition.options.queue ?? settings.defaults.queue;
}

/** A protocol may have a queue of its own for jobs that name none, as Celery does; a setting that somebody made is stronger. */
function queueOf({ settings }: Runtime, { protocol }: Route): string {
  const chosen = settings.sources.get("defaults.queue")?.layer !== "default";
  return chosen ? settings.defaults.queue : (protocol.defaultQueue ?? settings.defaults.queue);
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
