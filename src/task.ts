import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { PendingJob } from "./enqueue/pending.js";
import { callOptions, refuseContradictions } from "./job/call-options.js";
import { ConfigError } from "./job/errors.js";
import type { Job } from "./job/handle.js";
import { type ExecutionOptions, type JobOptions, type ResolvedOptions, resolveOptions } from "./job/options.js";
import { Signature } from "./signature.js";

/** An error class, for `retryOn`. */
export type ErrorClass = abstract new (...args: never[]) => Error;

/**
 * Which errors are worth another attempt: a class, several, or a predicate of the error and the attempt (from 1).
 *
 * @example
 * const retryOn: RetryOn = (error, attempt) => error instanceof TimeoutError && attempt < 3;
 */
export type RetryOn = ErrorClass | readonly ErrorClass[] | ((error: unknown, attempt: number) => boolean);

/** Options of a task: how its jobs run unless a call says otherwise. */
export interface TaskOptions<Output extends StandardSchemaV1 | undefined = undefined> extends ExecutionOptions {
  /** Retry only these errors; others go to the dead letters at once. Default: all. */
  readonly retryOn?: RetryOn;
  /** Checks and converts what the handler returns. */
  readonly output?: Output;
}

/** Options of a task with a schema for its one argument. */
export interface InputOptions<Input extends StandardSchemaV1, Output extends StandardSchemaV1 | undefined = undefined>
  extends TaskOptions<Output> {
  /** Checks the one argument at enqueue, and checks and converts it before the run. */
  readonly input: Input;
}

/** Options of a task with a schema for its argument list. */
export interface ArgsOptions<Args extends ArgsSchema, Output extends StandardSchemaV1 | undefined = undefined>
  extends TaskOptions<Output> {
  /** Checks the arguments, as an array, at enqueue, and checks and converts them before the run. */
  readonly args: Args;
}

/** A schema of a tuple or array. */
export type ArgsSchema = StandardSchemaV1<unknown[], unknown[]>;

/** What a handler may return, given the schema of its output. */
export type Returned<Output> = Output extends StandardSchemaV1
  ? StandardSchemaV1.InferInput<Output> | Promise<StandardSchemaV1.InferInput<Output>>
  : unknown;

/** What a job results in, given the schema of its output and what the handler returns. */
export type Resulting<Output, R> = Output extends StandardSchemaV1 ? StandardSchemaV1.InferOutput<Output> : Awaited<R>;

/** @internal */
declare const ARGS: unique symbol;

/**
 * A task as a class: one new instance runs each attempt.
 *
 * @example
 * class SendInvoice extends TaskHandler<[id: string], void> {
 *   async handle(id: string) {
 *     await deliver(id);
 *   }
 *   override async failed(error: Error, id: string) {
 *     await alertSupport(id, error);
 *   }
 *   override shouldRetry(error: Error) {
 *     return error.message !== "no such invoice";
 *   }
 * }
 * const sendInvoice = app.task("invoice.send", { attempts: 5 }, SendInvoice);
 */
export abstract class TaskHandler<Args extends unknown[] = unknown[], R = unknown> {
  /** @internal Only a type: what the class says its arguments are, also where `handle` names fewer of them. */
  declare readonly [ARGS]: Args;
  /** Does the work. */
  abstract handle(...args: Args): R | Promise<R>;
  /**
   * Called after the job went to the dead letters: its last attempt failed, it threw `DeadLetter`, or its arguments or result
   * did not fit their schema. What it throws is logged.
   */
  failed?(error: Error, ...args: Args): void | Promise<void>;
  /** Whether a failed attempt is worth another one. Default: the task's `retryOn`. */
  shouldRetry?(error: Error, attempt: number): boolean;
}

/** A class of handlers, for some arguments and result. */
export type HandlerClass<Handler extends AnyHandler = AnyHandler> = new () => Handler;

/** What all handlers have in common. */
export interface AnyHandler {
  /** @internal */
  readonly [ARGS]: unknown[];
  handle(...args: never[]): unknown;
}

/** The arguments that a class of handlers declares, or else those that its `handle` takes. */
export type HandlerArgs<Handler extends AnyHandler> = unknown[] extends Handler[typeof ARGS]
  ? Parameters<Handler["handle"]>
  : Handler[typeof ARGS];

/** The task that a class of handlers makes. */
export type ClassTask<Handler extends AnyHandler> = Task<
  HandlerArgs<Handler>,
  Promise<Awaited<ReturnType<Handler["handle"]>>>
>;

/** @internal How a task's arguments and result are checked. */
export interface TaskSchemas {
  readonly input?: StandardSchemaV1;
  readonly args?: StandardSchemaV1;
  readonly output?: StandardSchemaV1;
}

/** @internal Everything a worker needs to run a task, and a producer to send one. */
export interface TaskDefinition {
  readonly name: string;
  readonly options: ResolvedOptions;
  readonly schemas: TaskSchemas;
  readonly retryOn: RetryOn | undefined;
  /** Absent in a stub of a task that lives elsewhere. */
  readonly handler: ((...args: never[]) => unknown) | HandlerClass | undefined;
  readonly isClass: boolean;
}

/** @internal Sends jobs; an app is one. */
export interface Sender {
  enqueue<R>(definition: TaskDefinition, args: readonly unknown[], options: ResolvedOptions): PendingJob<R>;
  enqueueMany<R>(
    definition: TaskDefinition,
    argsList: readonly (readonly unknown[])[],
    options: ResolvedOptions,
  ): Promise<Job<R>[]>;
  runInline(definition: TaskDefinition, args: readonly unknown[]): unknown;
}

/** @internal */
export const DEFINITION = Symbol.for("taskwright.task.definition");
/** @internal */
export const SENDER = Symbol.for("taskwright.task.sender");

/** A task with options bound for its next jobs. Immutable: `with` gives another one. */
export interface BoundTask<Args extends unknown[], R> {
  readonly name: string;
  /**
   * Sends a job. Resolves when the broker has it.
   *
   * @throws ValidationError where the arguments do not fit the task's schema, ConfigError where one cannot be sent,
   * BrokerError where the broker cannot be reached: its `outcome` says whether the job may be there. All as a rejection.
   */
  enqueue(...args: Args): PendingJob<R>;
  /**
   * Sends many jobs in as few round trips as possible. All arguments are checked before the first one is sent; each
   * thousand is one atomic step.
   *
   * @throws like `enqueue`. The thousands before a failed one are in the broker.
   *
   * @example
   * const jobs = await add.enqueueMany([[1, 2], [3, 4]]);
   */
  enqueueMany(argsList: readonly Readonly<Args>[]): Promise<Job<R>[]>;
  /**
   * The same task with more options; later ones win, labels merge.
   *
   * @throws ConfigError for a wrong value or an unknown option, with the nearest right one.
   *
   * @example
   * const job = await add.with({ delay: "1m", priority: 7, id: "sum-1" }).enqueue(2, 3);
   */
  with(options: JobOptions): BoundTask<Args, R>;
  /** A signature: the task with its last arguments and its options bound, not yet enqueued. */
  s<Given extends Suffix<Args>>(...args: Given): Signature<Missing<Args, Given>, R>;
}

/**
 * A named, typed function. Calling it runs it here and now; `enqueue` sends it to a worker.
 *
 * @example
 * const add = app.task("add", (a: number, b: number) => a + b);
 * add(2, 3); // 5, here
 * await add.enqueue(2, 3).result(); // 5, from a worker
 */
export interface Task<Args extends unknown[], Return, Sent extends unknown[] = Args, Result = Awaited<Return>>
  extends BoundTask<Sent, Result> {
  (...args: Args): Return;
  /** @internal */
  readonly [DEFINITION]: TaskDefinition;
}

/** A task that lives elsewhere, such as in Python: it can be sent but not called. */
export type RemoteTask<Args extends unknown[], R> = BoundTask<Args, R>;

/** Any task at all, for registries. */
export interface AnyTask {
  readonly name: string;
  /** @internal */
  readonly [DEFINITION]: TaskDefinition;
}

/** The argument lists that end like `Args`: what a signature may bind when the rest comes from a previous result. */
export type Suffix<Args extends unknown[]> = Args extends [unknown, ...infer Rest] ? Args | Suffix<Rest> : Args;

/** What is left of `Args` when its last ones are `Given`. Compared by their number: what is given may be narrower, as `2` is. */
export type Missing<Args extends unknown[], Given extends unknown[]> = Given extends Args
  ? []
  : WithoutLast<Required<Args>, Given>;

type WithoutLast<Args extends unknown[], Given extends unknown[]> = Given extends [unknown, ...infer Others]
  ? Args extends [...infer First, unknown]
    ? WithoutLast<First, Others>
    : unknown[]
  : Args;

/** @internal Validates what the user wrote about a task. */
export function defineTask(name: string, rest: readonly unknown[]): TaskDefinition {
  if (typeof name !== "string" || name === "") throw new ConfigError("a task needs a name");
  const [options, handler] = rest.length > 1 ? rest : [{}, rest[0]];
  if (typeof handler !== "function") throw new ConfigError(`task "${name}" needs a handler: a function or a class`);
  if (typeof options !== "object" || options === null)
    throw new ConfigError(`the options of task "${name}" must be an object`);
  const { retryOn, input, args, output, ...execution } = options as Omit<TaskOptions, "output"> & TaskSchemas;
  refuseJobOptions(name, execution);
  const where = `task "${name}"`;
  const resolved = resolveOptions(execution, where);
  refuseContradictions({ ...resolved, retryOn }, where);
  return {
    name,
    options: resolved,
    schemas: schemas({ input, args, output }),
    retryOn,
    handler: handler as TaskDefinition["handler"],
    isClass: handler.prototype instanceof TaskHandler,
  };
}

function schemas({ input, args, output }: { [K in keyof TaskSchemas]-?: TaskSchemas[K] | undefined }): TaskSchemas {
  return { ...(input && { input }), ...(args && { args }), ...(output && { output }) };
}

const JOB_ONLY = ["id", "delay", "at", "tx", "kwargs", "broker", "backend", "protocol"] as const;

function refuseJobOptions(name: string, options: object): void {
  const wrong = JOB_ONLY.find((key) => key in options);
  if (wrong !== undefined) {
    throw new ConfigError(
      `"${wrong}" is an option of one job, not of task "${name}": use task.with({ ${wrong}: ... })`,
    );
  }
}

/** @internal The public value of a definition. `sender` may be absent until the task is registered. */
export function createTask(definition: TaskDefinition, sender: Sender | undefined): AnyTask {
  const call = (...args: unknown[]): unknown => senderOf(task).runInline(definition, args);
  const task = Object.defineProperties(call, {
    name: { value: definition.name },
    [DEFINITION]: { value: definition },
    [SENDER]: { value: sender, writable: true },
  }) as unknown as AnyTask & WithSender;
  return Object.assign(
    task,
    bindable(definition, {}, () => senderOf(task)),
  );
}

interface WithSender {
  [SENDER]: Sender | undefined;
}

function senderOf(task: AnyTask & WithSender): Sender {
  const sender = task[SENDER];
  if (sender !== undefined) return sender;
  throw new ConfigError(`task "${task.name}" belongs to no app yet: call app.register(${task.name})`);
}

/** @internal A task stub with options bound. */
export function bindTask(
  definition: TaskDefinition,
  options: ResolvedOptions,
  sender: () => Sender,
): BoundTask<unknown[], unknown> {
  return Object.assign(bindable(definition, options, sender), { name: definition.name });
}

function bindable(
  definition: TaskDefinition,
  options: ResolvedOptions,
  sender: () => Sender,
): Omit<BoundTask<unknown[], unknown>, "name"> {
  return {
    enqueue: (...args) => sender().enqueue(definition, args, options),
    enqueueMany: (argsList) => sender().enqueueMany(definition, argsList, options),
    with: (more) => bindTask(definition, callOptions(definition, more, options), sender),
    s: (...args) => new Signature<never, unknown>(definition, args, options, sender) as Signature<unknown[], unknown>,
  };
}

/**
 * Whether a value is a task, of whichever copy of the package.
 *
 * @param value - Anything, such as an export of a module.
 *
 * @example
 * isTask(add); // true
 */
export function isTask(value: unknown): value is AnyTask {
  return typeof value === "function" && DEFINITION in value;
}

/**
 * Defines a task without an app, for a library or to break an import cycle; `app.register` gives it one.
 *
 * @example
 * export const add = task("add", (a: number, b: number) => a + b);
 * app.register(add);
 */
export const task: DefineTask = ((name: string, ...rest: unknown[]) =>
  createTask(defineTask(name, rest), undefined)) as unknown as DefineTask;

/** The ways to define a task: a function or a class of handlers, with or without options and schemas. */
export interface DefineTask {
  <Handler extends AnyHandler>(name: string, handler: HandlerClass<Handler>): ClassTask<Handler>;
  <Args extends unknown[], R>(name: string, handler: (...args: Args) => R): Task<Args, R>;
  <Input extends StandardSchemaV1, R extends Returned<Output>, Output extends StandardSchemaV1 | undefined = undefined>(
    name: string,
    options: InputOptions<Input, Output>,
    handler: (input: StandardSchemaV1.InferOutput<Input>) => R,
  ): Task<
    [input: StandardSchemaV1.InferOutput<Input>],
    R,
    [input: StandardSchemaV1.InferInput<Input>],
    Resulting<Output, R>
  >;
  <Args extends ArgsSchema, R extends Returned<Output>, Output extends StandardSchemaV1 | undefined = undefined>(
    name: string,
    options: ArgsOptions<Args, Output>,
    handler: (...args: StandardSchemaV1.InferOutput<Args>) => R,
  ): Task<StandardSchemaV1.InferOutput<Args>, R, StandardSchemaV1.InferInput<Args>, Resulting<Output, R>>;
  <Handler extends AnyHandler>(
    name: string,
    options: TaskOptions<StandardSchemaV1 | undefined>,
    handler: HandlerClass<Handler>,
  ): ClassTask<Handler>;
  <Args extends unknown[], R extends Returned<Output>, Output extends StandardSchemaV1 | undefined = undefined>(
    name: string,
    options: TaskOptions<Output>,
    handler: (...args: Args) => R,
  ): Task<Args, R, Args, Resulting<Output, R>>;
}
