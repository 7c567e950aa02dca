import { hostname } from "node:os";
import { resolveWorkerSettings } from "../config/resolve.js";
import type { WorkerConfig, WorkerSettings } from "../config/schema.js";
import type { EventListener, EventName, Events } from "../events.js";
import { type Duration, parseDuration } from "../job/duration.js";
import { ConfigError } from "../job/errors.js";
import { type Runtime, routeOf } from "../runtime.js";
import { NO_COUNTS, type WorkerCounts } from "./counts.js";
import { assemble, type Parts, queueNames } from "./parts.js";

/** Options of one worker; each falls back to the app's `worker` settings. See docs/configuration.md. */
export type WorkerOptions = WorkerConfig;

/** What a worker does now, and has done since it started. */
export interface WorkerStats extends Readonly<WorkerCounts> {
  /** Handlers that run now. */
  readonly active: number;
  /** Jobs claimed, or broadcasts heard, but not started. */
  readonly prefetched: number;
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
  #running: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;
  /** The second call of `stop` may come before the first one has begun to wait. */
  #hurried = false;
  #hurry: () => void = () => {};
  #idle: (() => void)[] = [];

  /** @internal */
  constructor(options: WorkerOptions, events: Events, connect: () => Promise<Runtime>) {
    this.#options = options;
    this.#events = events.child();
    this.#connect = connect;
  }

  get stats(): WorkerStats {
    const parts = this.#parts;
    if (parts === undefined) return { ...NO_COUNTS, active: 0, prefetched: 0 };
    const { concluder, executor, broadcasts } = parts;
    const active = executor.active + broadcasts.active;
    return { ...concluder.counts, active, prefetched: executor.waiting + broadcasts.waiting };
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
    this.#running ??= this.#run(parts);
    await this.#running;
  }

  /** Runs what is due until nothing is, then stops. For tests and scripts; see `app.drain`. */
  async drain(): Promise<void>;
  /** @internal Does `first` when it listens for broadcasts, so that it runs those too. */
  async drain<T>(first: () => Promise<T>): Promise<T>;
  async drain(first: () => unknown = () => {}): Promise<unknown> {
    const parts = await this.#open();
    try {
      const answer = await first();
      await parts.claimer.runUntilEmpty(() => isIdle(parts) && parts.settler.pending === 0);
      return answer;
    } finally {
      await this.stop();
    }
  }

  /**
   * Stops; resolves when everything is settled or given back.
   *
   * @param options.grace - How long running jobs may take to finish. Default: the worker's `grace`.
   */
  async stop(options: { readonly grace?: Duration } = {}): Promise<void> {
    const grace = options.grace === undefined ? undefined : parseDuration(options.grace, "grace");
    if (this.#stopping === undefined) this.#stopping = this.#stop(grace);
    else if (grace !== undefined) this.#cutShort(grace);
    await this.#stopping;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #open(): Promise<Parts> {
    if (this.#stopping !== undefined)
      throw new ConfigError("this worker has stopped: make another one with app.worker()");
    this.#starting ??= this.#assemble().catch((error: unknown) => {
      this.#starting = undefined;
      throw error;
    });
    return this.#starting;
  }

  async #run({ sweeper, registry, claimer, companion, settings }: Parts): Promise<void> {
    sweeper.start();
    await registry?.start();
    await companion?.start();
    if (this.#stopping !== undefined) return;
    claimer.start();
    this.#events.emit("worker:started", { worker: this.id, queues: queueNames(settings) });
  }

  #cutShort(grace: number): void {
    const hurry = (): void => {
      this.#hurried = true;
      this.#hurry();
    };
    if (grace === 0 || this.#parts === undefined) hurry();
    else this.#parts.runtime.clock.schedule(hurry, grace);
  }

  async #assemble(): Promise<Parts> {
    const app = await this.#connect();
    const settings = withDefaultQueue(resolveWorkerSettings(app.settings, this.#options), app, this.#options);
    const route = await routeOf(app, queueNames(settings));
    const runtime = { ...app, route, coordinator: app.coordinator ?? route.coordinator };
    this.#parts = await assemble({
      id: this.id,
      runtime,
      settings,
      events: this.#events,
      onFree: () => this.#freed(),
      onStop: () => void this.stop(),
      onError: (error, delay = 0) => this.#failed(error, delay),
    });
    this.#parts.leases.start();
    return this.#parts;
  }

  /** Something ended: there may be room for more, or nothing left to wait for. */
  #freed(): void {
    const parts = this.#parts;
    if (parts === undefined) return;
    parts.claimer.wake();
    if (!isIdle(parts)) return;
    for (const resolve of this.#idle) resolve();
    this.#idle = [];
  }

  #failed(error: unknown, delay: number): void {
    if (this.#events.wanted("worker:error")) this.#events.emit("worker:error", { worker: this.id, error, delay });
    else this.#parts?.runtime.logger.error({ err: error, worker: this.id }, "the worker could not reach its broker");
  }

  async #stop(given: number | undefined): Promise<void> {
    const parts = await this.#starting?.catch(() => undefined);
    if (parts === undefined) return;
    const { claimer, executor, broadcasts, hearing, settler, settings } = parts;
    this.#events.emit("worker:stopping", { worker: this.id, active: executor.active + broadcasts.active });
    hearing?.close();
    broadcasts.releaseWaiting();
    executor.releaseWaiting();
    await claimer.stop();
    // What a claim under way has still brought.
    executor.releaseWaiting();
    await this.#finishWithin(given ?? settings.grace, parts);
    executor.abandon();
    broadcasts.abandon();
    await settler.idle();
    await this.#close(parts);
    this.#events.emit("worker:stopped", { worker: this.id });
  }

  /** Waits until nothing runs, the grace period is over, or `stop` is called again in a hurry. */
  #finishWithin(grace: number, parts: Parts): Promise<void> {
    if (isIdle(parts) || grace === 0 || this.#hurried) return Promise.resolve();
    return new Promise((resolve) => {
      const cancelTimer = parts.runtime.clock.schedule(() => end(), grace, true);
      const end = (): void => {
        cancelTimer();
        resolve();
      };
      this.#hurry = end;
      this.#idle.push(end);
    });
  }

  async #close({
    executor,
    broadcasts,
    leases,
    reporter,
    sweeper,
    registry,
    companion,
    consumer,
  }: Parts): Promise<void> {
    executor.close();
    broadcasts.close();
    leases.close();
    await sweeper.close();
    await reporter?.idle();
    await registry?.close();
    await companion?.close();
    // Everything is settled or given back by now: a broker that is away must not make an orderly end a failure.
    await consumer.close().catch((error: unknown) => this.#failed(error, 0));
  }
}

/** A worker that nobody told its queues works on the one to which its protocol sends what names none. */
function withDefaultQueue(
  settings: WorkerSettings,
  { route, settings: all }: Runtime,
  given: WorkerOptions,
): WorkerSettings {
  const { defaultQueue } = route.protocol;
  const chosen = given.queues !== undefined || all.sources.get("worker.queues")?.layer !== "default";
  return chosen || defaultQueue === undefined ? settings : { ...settings, queues: [{ name: defaultQueue, weight: 1 }] };
}

/** Nothing runs, waits to run, or is still being told to middleware. */
function isIdle({ executor, broadcasts, concluder }: Parts): boolean {
  return executor.held === 0 && broadcasts.held === 0 && concluder.hooks === 0;
}
