import { EventEmitter } from "node:events";
import type { DeadReason, Logger } from "./contracts/index.js";

/** What every job event tells. */
export interface JobEvent {
  readonly id: string;
  readonly task: string;
  readonly queue: string;
}

/** What events of a running job tell besides. */
export interface AttemptEvent extends JobEvent {
  readonly attempt: number;
  readonly worker: string;
}

/** What events at the end of an attempt tell besides. */
export interface EndEvent extends AttemptEvent {
  /** Milliseconds from the start of the handler to its end. */
  readonly duration: number;
}

/** What events of a failed attempt tell besides. */
export interface FailureEvent extends EndEvent {
  readonly error: unknown;
}

/**
 * Everything that taskwright tells about jobs and workers, by event name. Events are local to the process: a worker's
 * are emitted on the worker and on its app.
 */
export interface EventMap {
  /** A job was acknowledged by its broker. */
  "job:enqueued": [event: JobEvent & { readonly duplicate: boolean }];
  /** A handler is about to run. */
  "job:started": [event: AttemptEvent];
  /** A handler returned, and the broker has settled the job. */
  "job:completed": [event: EndEvent];
  /** An attempt failed, and the job runs again after `delay` ms. */
  "job:retrying": [event: FailureEvent & { readonly delay: number }];
  /** The job is among the dead letters. */
  "job:dead": [event: FailureEvent & { readonly reason: DeadReason }];
  /** The job was cancelled, discarded or had expired. */
  "job:cancelled": [event: FailureEvent];
  /** The job was given back unfinished and uncounted: snoozed, or the worker is stopping. */
  "job:released": [event: EndEvent & { readonly delay: number }];
  /** The lease had passed to somebody else: what this attempt did was dropped. */
  "job:lost": [event: EndEvent];
  /** A broadcast failed on this worker, or could not run there; the others are not concerned, and nobody tries it again. */
  "broadcast:failed": [event: FailureEvent];
  /** The worker claims. */
  "worker:started": [event: { readonly worker: string; readonly queues: readonly string[] }];
  /** The worker claims no more; `active` handlers still run. */
  "worker:stopping": [event: { readonly worker: string; readonly active: number }];
  /** Everything is settled or given back. */
  "worker:stopped": [event: { readonly worker: string }];
  /** The broker or backend failed; the worker tries again after `delay` ms. */
  "worker:error": [event: { readonly worker: string; readonly error: unknown; readonly delay: number }];
}

/** The name of an event, such as `"job:completed"`. */
export type EventName = keyof EventMap;

/** A listener for one event. */
export type EventListener<Name extends EventName> = (...args: EventMap[Name]) => void;

/** A typed emitter. Emitting an event that nobody listens to costs one look-up. */
export class Events {
  readonly #emitter = new EventEmitter<EventMap>();
  readonly #logger: Logger;
  readonly #parent: Events | undefined;

  constructor(logger: Logger, parent?: Events) {
    this.#logger = logger;
    this.#parent = parent;
    this.#emitter.setMaxListeners(0);
  }

  /** An emitter whose events are heard here too. */
  child(): Events {
    return new Events(this.#logger, this);
  }

  on<Name extends EventName>(name: Name, listener: EventListener<Name>): void {
    this.#emitter.on(name, listener as never);
  }

  off<Name extends EventName>(name: Name, listener: EventListener<Name>): void {
    this.#emitter.off(name, listener as never);
  }

  /** Whether emitting `name` would reach anybody, so that the hot path builds no event for nobody. */
  wanted(name: EventName): boolean {
    return this.#emitter.listenerCount(name) > 0 || (this.#parent?.wanted(name) ?? false);
  }

  /** Calls all listeners. One that throws is logged: it neither keeps others from hearing nor a job from being settled. */
  emit<Name extends EventName>(name: Name, ...args: EventMap[Name]): void {
    const report = (error: unknown) => this.#logger.error({ err: error, event: name }, `a listener of ${name} threw`);
    for (const listener of this.#emitter.listeners(name)) {
      try {
        const done: unknown = Reflect.apply(listener, undefined, args);
        if (done instanceof Promise) done.catch(report);
      } catch (error) {
        report(error);
      }
    }
    this.#parent?.emit(name, ...args);
  }
}
