import { hostname } from "node:os";
import { resolveWorkerSettings } from "../config/resolve.js";
import type { WorkerConfig, WorkerSettings } from "../config/schema.js";
import type { Consumer } from "../contracts/index.js";
import type { EventListener, EventName, Events } from "../events.js";
import { type Duration, parseDuration } from "../job/duration.js";
import { CancelledError, ConfigError } from "../job/errors.js";
import type { Runtime } from "../runtime.js";
import { Claimer } from "./claimer.js";
import { Concluder, type WorkerCounts } from "./concluder.js";
import { Executor } from "./executor.js";
import { LeaseKeeper } from "./lease-keeper.js";
import { queueOrder } from "./queue-order.js";
import { ACTIVE_SHOWN, Registry, type WorkerRecord } from "./registry.js";
import { Reporter } from "./reporter.js";
import type { JobHost } from "./running-job.js";
import { Settler } from "./settler.js";
import { Sweeper } from "./sweeper.js";

/** Options of one worker; each falls back to the app's `worker` settings. See docs/configuration.md. */
export type WorkerOptions = WorkerConfig;

/** What a worker does now, and has done since it started. */
export interface WorkerStats extends Readonly<WorkerCounts> {
  /** Handlers that run now. */
  readonly active: number;
  /** Jobs claimed but not started. */
  readonly prefetched: number;
}

/** All parts of a started worker. */
interface Parts {
  readonly settings: WorkerSettings;
  readonly runtime: Runtime;
  readonly consumer: Consumer;
  readonly claimer: Claimer;
  readonly executor: Executor;
  readonly concluder: Concluder;
  readonly settler: Settler;
  readonly leases: LeaseKeeper;
  readonly registry: Registry | undefined;
  readonly reporter: Reporter | undefined;
  readonly sweeper: Sweeper;
}

/**
 * Claims jobs, runs and settles them.
 *
 * Its life is `idle → running → stopping → stopped`. `start` opens the broker and begins to claim. `stop` ends claiming,
 * gives back what has not started, lets running jobs finish within the grace period, then aborts their signals and gives
 * them back too, uncounted. A second `stop` with a shorter grace cuts the first one short. A stopped worker stays stopped.
 *
 * @example
 * await using worker = app.worker({ queues: ["mail", "default"], concurrency: 100 });
 * await worker.start();
 */
export class Worker implements AsyncDisposable {
  readonly id = `${hostname()}-${process.pid}-${Math.random().toString(36).slice(2, 8)}`;
  readonly #options: WorkerOptions;
  readonly #connect: () => Promise<Runtime>;
  readonly #events: Events;
  #starting: Promise<Parts> | undefined;
  #parts: Parts | undefined;
  #stopping: Promise<void> | undefined;
  #hurry: () => void = () => {};
  #idle: (() => void)[] = [];

  /** @internal */
  constructor(options: WorkerOptions, events: Events, connect: () => Promise<Runtime>) {
    this.#options = options;
    this.#events = events.child();
    this.#connect = connect;
  }

  get stats(): WorkerStats {
    const { executor, concluder } = this.#parts ?? {};
    const counts = concluder?.counts ?? { completed: 0, retried: 0, dead: 0, cancelled: 0, released: 0, lost: 0 };
    const active = executor?.active ?? 0;
    return { ...counts, active, prefetched: (executor?.held ?? 0) - active };
  }

  /** Listens to this worker only; `app.on` hears all workers of the app. */
  on<Name extends EventName>(name: Name, listener: EventListener<Name>): this {
    this.#events.on(name, listener);
    return this;
  }

  off<Name extends EventName>(name: Name, listener: EventListener<Name>): this {
    this.#events.off(name, listener);
    return this;
  }

  /**
   * Opens the broker and the app's context and begins to claim.
   *
   * @throws ConfigError for wrong options, BrokerError where the broker cannot be reached.
   */
  async start(): Promise<void> {
    const parts = await this.#open();
    parts.sweeper.start();
    await parts.registry?.start();
    parts.claimer.start();
    this.#events.emit("worker:started", { worker: this.id, queues: queueNames(parts.settings) });
  }

  /** Runs what is due until nothing is, then stops. For tests and scripts; see `app.drain`. */
  async drain(): Promise<void> {
    const parts = await this.#open();
    await parts.claimer.runUntilEmpty(() => parts.executor.held === 0 && parts.settler.pending === 0);
    await this.stop();
  }

  /**
   * Stops; resolves when everything is settled or given back.
   *
   * @param options.grace - How long running jobs may take to finish. Default: the worker's `grace`.
   */
  async stop(options: { readonly grace?: Duration } = {}): Promise<void> {
    const grace = options.grace === undefined ? undefined : parseDuration(options.grace, "grace");
    if (this.#stopping === undefined) this.#stopping = this.#stop(grace);
    else if (grace === 0) this.#hurry();
    await this.#stopping;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #open(): Promise<Parts> {
    if (this.#stopping !== undefined)
      throw new ConfigError("this worker has stopped: make another one with app.worker()");
    this.#starting ??= this.#assemble();
    return this.#starting;
  }

  async #assemble(): Promise<Parts> {
    const runtime = await this.#connect();
    const settings = resolveWorkerSettings(runtime.settings, this.#options);
    const { route, clock, codec } = runtime;
    const consumer = await route.broker.consume({
      worker: this.id,
      queues: queueNames(settings),
      capacity: settings.concurrency + settings.prefetch,
      lease: settings.lease,
      onCancel: (ids) => this.#cancel(ids),
    });
    const onError = (error: unknown, delay = 0): void => this.#failed(error, delay);
    const backend = route.backend;
    const reporter = backend && new Reporter(backend, codec);
    const leases = new LeaseKeeper({
      consumer,
      clock,
      heartbeat: settings.heartbeat,
      onLost: (id) => this.#parts?.executor.lose(id),
      onCancel: (id) => this.#cancel([id]),
      onError,
    });
    const settler = new Settler({
      consumer,
      route,
      clock,
      ack: settings.ack,
      patience: settings.lease,
      onSettled: () => this.#freed(),
      onError,
    });
    const host: JobHost = {
      ...runtime,
      report: async (job, told) => reporter?.report(job, told),
      extend: (job) => leases.renew(job.claimed),
    };
    const concluder = new Concluder({ host, codec, events: this.#events, leases, route, settler, worker: this.id });
    const executor = new Executor({
      host,
      codec,
      concluder,
      leases,
      middleware: runtime.middleware,
      concurrency: settings.concurrency,
      poisonLimit: settings.poisonLimit,
      onFree: () => this.#freed(),
    });
    const claimer = new Claimer({
      consumer,
      clock,
      order: queueOrder(settings, runtime.random),
      room: () => this.#room(),
      accept: (jobs) => executor.accept(jobs),
      onError,
    });
    const startedAt = clock.now();
    const registry =
      runtime.coordinator &&
      new Registry({
        coordinator: runtime.coordinator,
        codec,
        clock,
        heartbeat: settings.heartbeat,
        describe: () => this.#describe(startedAt),
        onError,
      });
    const sweeper = new Sweeper({
      broker: route.broker,
      backend,
      clock,
      random: runtime.random,
      every: settings.sweep,
      lease: settings.lease,
      onError,
    });
    leases.start();
    this.#parts = {
      settings,
      runtime,
      consumer,
      claimer,
      executor,
      concluder,
      settler,
      leases,
      registry,
      reporter,
      sweeper,
    };
    return this.#parts;
  }

  /**
   * A slot is free once its handler has ended; its settlement may still be on the way, so that claims and settlements
   * overlap. But no more than one round of them: a broker that is slow to settle is not asked for ever more.
   */
  #room(): number {
    const parts = this.#parts;
    if (parts === undefined) return 0;
    const capacity = parts.settings.concurrency + parts.settings.prefetch;
    return parts.settler.pending > capacity ? 0 : capacity - parts.executor.held;
  }

  /** Something ended: there may be room for more, or nothing left to wait for. */
  #freed(): void {
    const parts = this.#parts;
    if (parts === undefined) return;
    parts.claimer.wake();
    if (parts.executor.held > 0) return;
    for (const resolve of this.#idle) resolve();
    this.#idle = [];
  }

  #cancel(ids: readonly string[]): void {
    for (const id of ids) this.#parts?.executor.abort(id, new CancelledError());
  }

  #failed(error: unknown, delay: number): void {
    if (this.#events.wanted("worker:error")) this.#events.emit("worker:error", { worker: this.id, error, delay });
    else this.#parts?.runtime.logger.error({ err: error, worker: this.id }, "the worker could not reach its broker");
  }

  #describe(startedAt: number): Omit<WorkerRecord, "host" | "pid" | "seenAt"> {
    const { settings, executor, runtime } = this.#parts as Parts;
    const active = [...executor.jobs].slice(0, ACTIVE_SHOWN);
    return {
      id: this.id,
      startedAt,
      queues: queueNames(settings),
      concurrency: settings.concurrency,
      tasks: [...runtime.tasks.keys()],
      running: executor.active,
      active: active.map(({ id, task, attempt, startedAt: since }) => ({ id, task, attempt, startedAt: since })),
    };
  }

  async #stop(given: number | undefined): Promise<void> {
    const parts = await this.#starting?.catch(() => undefined);
    if (parts === undefined) return;
    const { claimer, executor, settler, settings } = parts;
    this.#events.emit("worker:stopping", { worker: this.id, active: executor.active });
    await claimer.stop();
    executor.releaseWaiting();
    await this.#finishWithin(given ?? settings.grace, parts);
    executor.abandon();
    await settler.idle();
    await this.#close(parts);
    this.#events.emit("worker:stopped", { worker: this.id });
  }

  /** Waits until nothing runs, the grace period is over, or `stop` is called again in a hurry. */
  #finishWithin(grace: number, { executor, runtime }: Parts): Promise<void> {
    if (executor.held === 0 || grace === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const cancelTimer = runtime.clock.schedule(() => end(), grace, true);
      const end = (): void => {
        cancelTimer();
        resolve();
      };
      this.#hurry = end;
      this.#idle.push(end);
    });
  }

  async #close({ executor, leases, reporter, sweeper, registry, consumer }: Parts): Promise<void> {
    executor.close();
    leases.close();
    await sweeper.close();
    await reporter?.idle();
    await registry?.close();
    await consumer.close();
  }
}

function queueNames(settings: WorkerSettings): string[] {
  return settings.queues.map((queue) => queue.name);
}
