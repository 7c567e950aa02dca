import { systemClock } from "./clock.js";
import { type ConfigFile, resolveSettings, type Settings } from "./config/resolve.js";
import type { TaskwrightConfig } from "./config/schema.js";
import { Connections } from "./connections.js";
import { type ContextFactory, ContextHolder } from "./context.js";
import type { Clock, Logger, Random } from "./contracts/index.js";
import { type DrainReport, drain } from "./drain.js";
import { Enqueuer } from "./enqueue/enqueuer.js";
import type { PendingJob } from "./enqueue/pending.js";
import { type EventListener, type EventName, Events } from "./events.js";
import { Inspect } from "./inspect/inspect.js";
import { callOptions } from "./job/call-options.js";
import { type Codec, createCodec, detectCodec, ErrorRegistry, TypeRegistry } from "./job/codec/index.js";
import { ConfigError } from "./job/errors.js";
import { Job } from "./job/handle.js";
import { generateId } from "./job/id.js";
import type { JobOptions } from "./job/options.js";
import { defaultLogger, delegate } from "./logger.js";
import type { Middleware } from "./middleware/middleware.js";
import { MiddlewareStack } from "./middleware/stack.js";
import { type MigrateOptions, type MigrationReport, migrate } from "./migrate.js";
import { nativeProtocol } from "./protocol.js";
import { allRoutes, type Protocols, queuesOf, Routes, type Runtime, type Services, wayOf } from "./runtime.js";
import { takeAll } from "./settled.js";
import {
  type AnyTask,
  bindTask,
  createTask,
  DEFINITION,
  type DefineTask,
  defineTask,
  isTask,
  type RemoteTask,
  SENDER,
  type Sender,
  type TaskDefinition,
} from "./task.js";
import { runInline } from "./worker/inline-job.js";
import { Worker, type WorkerOptions } from "./worker/worker.js";

const BRAND = Symbol.for("taskwright.app");

/** What an app is made of: settings (see docs/configuration.md) and services. */
export interface TaskwrightOptions<Context = undefined> extends TaskwrightConfig {
  /**
   * Makes what tasks share, such as connection pools; opened once a process when a worker starts, closed with the app.
   *
   * @example
   * const app = new Taskwright({
   *   context: async (scope) => {
   *     const pool = new Pool();
   *     scope.onClose(() => pool.end());
   *     return { pool };
   *   },
   * });
   * const count = app.task("count", () => app.context.pool.query("select count(*) from users"));
   */
  readonly context?: ContextFactory<Context>;
  /** Where log lines go; pino fits. Default: warnings and errors on stderr. */
  readonly logger?: Logger;
  /** Default: the machine's clock. Tests pass a `FakeClock`. */
  readonly clock?: Clock;
  /** Default: `Math.random`. Tests pass a seeded one. */
  readonly random?: Random;
  /** Makes the ids of jobs. Default: UUIDv7. Each must be new; nobody looks for duplicates of generated ids. */
  readonly generateId?: () => string;
}

/** Options of `app.send`. */
export interface SendOptions extends JobOptions {
  /** The arguments. Default: none. */
  readonly args?: readonly unknown[];
}

/** @internal Layers that the command line adds around what is written in code. */
export interface OuterLayers {
  readonly file?: ConfigFile | undefined;
  readonly flags?: Readonly<Record<string, string | undefined>> | undefined;
  /** Where log lines go unless the code says otherwise. */
  readonly logger?: Logger | undefined;
}

/**
 * An app: its tasks, its broker and backend, its workers. Nothing is opened before the first job is enqueued, the first
 * worker started, or `connect` called.
 *
 * @example
 * import { Taskwright } from "taskwright";
 *
 * export const app = new Taskwright({ broker: "sqlite:./jobs.db" });
 * export const add = app.task("add", (a: number, b: number) => a + b);
 *
 * await add.enqueue(2, 3).result({ timeout: "5s" });
 */
export class Taskwright<Context = undefined> implements AsyncDisposable {
  /** Error classes that come back from other processes as themselves. */
  readonly errors = new ErrorRegistry();
  /** Classes whose instances can be sent. */
  readonly types = new TypeRegistry();
  /**
   * Defines a task and registers it: `app.task(name, handler)` or `app.task(name, options, handler)`, where the handler is a
   * function or a class that extends `TaskHandler`. Throws ConfigError for a name that is taken or a wrong option.
   *
   * @example
   * const mail = app.task("mail.send", { queue: "mail", attempts: 5 }, async (to: string) => `sent to ${to}`);
   */
  readonly task: DefineTask;
  readonly #options: TaskwrightOptions<Context>;
  readonly #context: ContextHolder<Context>;
  readonly #tasks = new Map<string, AnyTask>();
  readonly #events: Events;
  readonly #services: Services;
  readonly #sender: Sender;
  readonly #workers = new Set<Worker>();
  #outer: OuterLayers = {};
  #connections: Connections | undefined;
  #runtime: Runtime | undefined;
  #connecting: Promise<Runtime> | undefined;

  /** Throws ConfigError for an unknown setting or a wrong value, with the nearest right one. */
  constructor(options: TaskwrightOptions<Context> = {}) {
    const { context, logger, clock, random, generateId: makeId, ...config } = options;
    resolveSettings({ code: config });
    this.#options = options;
    this.#context = new ContextHolder(context);
    const time = clock ?? systemClock;
    const log = delegate(() => logger ?? this.#outer.logger ?? defaultLogger);
    this.#events = new Events(log);
    this.#services = {
      clock: time,
      random: random ?? Math.random,
      logger: log,
      events: this.#events,
      errors: this.errors,
      middleware: new MiddlewareStack(() => this.#services.logger),
      tasks: this.#tasks,
      generateId: makeId ?? generateId,
    };
    const copier = createCodec("msgpack", this.types, this.errors);
    const enqueuer = new Enqueuer(
      () => this.#runtime ?? this.#connect(),
      {
        drain: () => this.drain(),
        hear: (queues, send) => this.worker({ queues: [...queues], prefetch: 0 }).drain(send),
      },
      (value, name) => (copier.decode(copier.encode([value], [name])) as [typeof value])[0],
    );
    this.#sender = {
      enqueue: (definition, args, bound) => enqueuer.enqueue(definition, args, bound),
      enqueueMany: (definition, argsList, bound) => enqueuer.enqueueMany(definition, argsList, bound),
      runInline: (definition, args) => runInline(definition, args, this.#services),
    };
    this.task = ((name: string, ...rest: unknown[]) => {
      const definition = defineTask(name, rest);
      return this.#add(createTask(definition, this.#sender));
    }) as unknown as DefineTask;
    Object.defineProperty(this, BRAND, { value: true });
  }

  /** Whether a value is an app, of whichever copy of the package. */
  static isApp(value: unknown): value is Taskwright<unknown> {
    return typeof value === "object" && value !== null && BRAND in value;
  }

  /** The registered tasks, by name. */
  get tasks(): ReadonlyMap<string, AnyTask> {
    return this.#tasks;
  }

  /**
   * What the `context` option made.
   *
   * @throws ConfigError before a worker or `openContext` has opened it.
   */
  get context(): Context {
    return this.#context.value;
  }

  /** Looks at queues, jobs and workers, and acts on them: what the command line and dashboards stand on. */
  get inspect(): Inspect {
    return new Inspect(() => this.#connect());
  }

  /**
   * Registers a task that was defined without an app, and answers with it. A task that already has an app is registered
   * here too: its name is run by workers of both, and the returned one sends through this app.
   * Throws ConfigError for what is no task, and for a name that is taken.
   */
  register<T extends AnyTask>(task: T): T {
    if (!isTask(task)) throw new ConfigError("app.register() takes a task, made by task()");
    const holder = task as T & { [SENDER]: Sender | undefined };
    if (holder[SENDER] === undefined) {
      holder[SENDER] = this.#sender;
      return this.#add(task);
    }
    return this.#add(createTask(task[DEFINITION], this.#sender) as T);
  }

  /**
   * A typed stub of a task that lives elsewhere, such as in Python.
   *
   * @param options - Travel with each job. Throws ConfigError for a wrong one.
   * @example
   * const remote = app.remoteTask<[number, number], number>("proj.add", { queue: "celery" });
   * await remote.enqueue(1, 2).result();
   */
  remoteTask<Args extends unknown[], R>(name: string, options: JobOptions = {}): RemoteTask<Args, R> {
    const definition = stub(name);
    const bound = callOptions(definition, options);
    return bindTask(definition, bound, () => this.#sender) as unknown as RemoteTask<Args, R>;
  }

  /**
   * Sends a job by name, with none of its code here.
   *
   * @param options - Arguments and options of the job; where the task is registered here, its own hold too.
   * @example
   * await app.send("python.task", { args: [1], kwargs: { x: 2 }, queue: "celery" });
   */
  send(name: string, options: SendOptions = {}): PendingJob<unknown> {
    const { args = [], ...rest } = options;
    const definition = this.#tasks.get(name)?.[DEFINITION] ?? stub(name);
    return this.#sender.enqueue(definition, args, callOptions(definition, rest));
  }

  /** Adds middleware, the first one outermost. Throws ConfigError for a hook that does not exist. */
  use(...middlewares: readonly Middleware[]): this {
    for (const middleware of middlewares) this.#services.middleware.add(middleware);
    return this;
  }

  /** Listens to what happens in this process; see `EventMap`. */
  on<Name extends EventName>(name: Name, listener: EventListener<Name>): this {
    this.#events.on(name, listener);
    return this;
  }

  /** Stops listening. */
  off<Name extends EventName>(name: Name, listener: EventListener<Name>): this {
    this.#events.off(name, listener);
    return this;
  }

  /**
   * A worker of this app, not yet started.
   *
   * @param options - Each falls back to the app's `worker` settings. Wrong ones are found at `start`.
   * @example
   * await using worker = app.worker({ queues: ["mail", "default"], concurrency: 100 });
   * await worker.start();
   */
  worker(options: WorkerOptions = {}): Worker {
    const worker = new Worker(options, this.#events, async () => {
      await this.openContext();
      return this.#connect();
    });
    this.#workers.add(worker);
    worker.on("worker:stopped", () => this.#workers.delete(worker));
    return worker;
  }

  /** A handle on a job that was enqueued elsewhere. Asks nobody whether it exists. */
  job<R = unknown>(id: string): Job<R> {
    return new Job<R>(id, async () => {
      const runtime = await this.#connect();
      return { runtime, routes: await allRoutes(runtime) };
    });
  }

  /**
   * Opens broker and backend. Otherwise they open by themselves when first needed.
   *
   * @throws ConfigError for wrong settings, MissingDependencyError, and BrokerError where one cannot be reached.
   */
  async connect(): Promise<void> {
    await this.#connect();
  }

  /**
   * Makes and changes the tables that the drivers of broker and backend need, once: calls at the same time wait for each
   * other, and one where nothing is missing changes nothing. Neither `connect` nor `enqueue` does it.
   *
   * @throws SchemaError where the schema is newer than this version, or was changed; BrokerError, ConfigError.
   * @example
   * for (const { driver, applied } of await app.migrate()) console.log(driver, applied.length);
   */
  async migrate(options: MigrateOptions = {}): Promise<MigrationReport[]> {
    return migrate(await this.settings(), this.#services, options);
  }

  /** Opens the context. Workers do it at start; a producer that uses `app.context` calls it itself. */
  openContext(): Promise<Context> {
    return this.#context.open();
  }

  /**
   * Runs everything that is due, here, and resolves when no queue has waiting or active jobs left: for tests and scripts.
   * Jobs scheduled for later are left, retries among them. Throws UnsupportedError where the driver cannot be looked into.
   */
  async drain(): Promise<DrainReport> {
    return drain(await this.#connect(), (options) => this.worker(options));
  }

  /**
   * Stops the app's workers, closes its connections and disposes its context. The app can be used again afterwards.
   * Throws AggregateError with what did not close cleanly; all else is closed nevertheless.
   */
  async close(): Promise<void> {
    const stopped = await Promise.allSettled([...this.#workers].map((worker) => worker.stop()));
    this.#workers.clear();
    const runtime = await this.#connecting?.catch(() => undefined);
    const connections = this.#connections;
    this.#runtime = undefined;
    this.#connecting = undefined;
    this.#connections = undefined;
    const errors = await takeAll([
      () => runtime?.routes.close(),
      () => connections?.close(),
      () => this.#context.close(),
    ]);
    for (const result of stopped) if (result.status === "rejected") errors.push(result.reason);
    if (errors.length > 0) throw new AggregateError(errors, "the app did not close cleanly");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** @internal Lays a configuration file and command line flags around the code, before the app is used. */
  configure(outer: OuterLayers): void {
    if (this.#connecting !== undefined) throw new ConfigError("the app is already connected, so flags come too late");
    this.#outer = { ...this.#outer, ...outer };
  }

  /** @internal The settings in force. */
  async settings(): Promise<Settings> {
    const { context: _c, logger: _l, clock: _k, random: _r, generateId: _g, ...code } = this.#options;
    const file = this.#outer.file ?? (await findConfig());
    return resolveSettings({ file, env: process.env, code, flags: this.#outer.flags });
  }

  #add<T extends AnyTask>(task: T): T {
    if (this.#tasks.has(task.name)) throw new ConfigError(`there is already a task "${task.name}" in this app`);
    this.#tasks.set(task.name, task);
    return task;
  }

  #connect(): Promise<Runtime> {
    this.#connecting ??= this.#open().catch(async (error: unknown) => {
      this.#connecting = undefined;
      await this.#connections?.close();
      throw error;
    });
    return this.#connecting;
  }

  /** Writes as the settings say, and reads whatever producers and earlier settings have written. */
  #codec(settings: Settings): Codec {
    const codecs = {
      msgpack: createCodec("msgpack", this.types, this.errors),
      json: createCodec("json", this.types, this.errors),
    };
    const { name, encode } = codecs[settings.codec];
    return { name, encode, decode: (bytes) => codecs[detectCodec(bytes)].decode(bytes) };
  }

  async #open(): Promise<Runtime> {
    const settings = await this.settings();
    const connections = new Connections(this.#services);
    this.#connections = connections;
    const codec = this.#codec(settings);
    const protocols: Protocols = {
      taskwright: async () => nativeProtocol(codec, this.errors),
      celery: async (broker) => {
        const { celeryProtocol } = await import("./celery/protocol.js");
        return celeryProtocol({ ...this.#services, settings, broker });
      },
    };
    const routes = new Routes(connections, this.#services, protocols, (way) =>
      queuesOf(settings, this.#services.tasks, way),
    );
    const route = await routes.open(wayOf(settings, {}));
    const coordinator = route.coordinator;
    const { inspect } = this;
    this.#runtime = { ...this.#services, settings, codec, route, routes, inspect, coordinator };
    return this.#runtime;
  }
}

/** The configuration file's loader is imported here, so that a process without one never loads a TypeScript compiler. */
async function findConfig(): Promise<ConfigFile | undefined> {
  const { loadConfigFile } = await import("./config/file.js");
  return loadConfigFile(process.cwd());
}

/** The definition of a task whose code is elsewhere. */
function stub(name: string): TaskDefinition {
  if (typeof name !== "string" || name === "") throw new ConfigError("a task needs a name");
  return { name, options: {}, schemas: {}, retryOn: undefined, handler: undefined, isClass: false };
}
