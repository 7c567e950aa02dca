import type {
  CancelTimer,
  Clock,
  Listener,
  Notifier,
  OutcomeRecord,
  ResultBackend,
  Unsubscribe,
} from "../contracts/index.js";
import { BrokerError, TaskwrightError } from "../job/errors.js";

/**
 * Without a notifier, outcomes are read every tenth of the time for which nothing has come of those waited for, from 10 ms to
 * 1 s: a job that takes 50 ms is known of within 10, one that takes a minute within a second.
 */
const POLL_MIN = 10;
const POLL_MAX = 1000;
const POLL_PART = 10;
/** At most one part in so many of the time is spent on reading, however many are waited for. */
const READ_PART = 5;

/** With one, they are still read now and then, in ms: a notification lost for whatever reason delays nobody for ever. */
const SAFETY_POLL = 5000;

type Found = (outcome: OutcomeRecord) => void;
type Failed = (error: unknown) => void;

interface Watch {
  readonly id: string;
  readonly found: Found;
  readonly failed: Failed;
}

/**
 * Waits for the outcomes of any number of jobs: pushed where the backend can, else read in one batch per round. One timer
 * serves all who wait. Each subscribes before it reads, so an outcome stored in between is not missed.
 */
export class OutcomeWatch {
  readonly #backend: ResultBackend;
  readonly #notifier: Notifier | undefined;
  readonly #clock: Clock;
  readonly #watched = new Map<string, Set<Watch>>();
  #due = new Set<string>();
  #reading = false;
  #timer: CancelTimer | undefined;
  /** When somebody last began to wait, or an outcome came. Epoch ms. */
  #lastNews = 0;
  /** How long the last read took, in ms. */
  #readTime = 0;
  /** How long the timer was set for, in ms. */
  #delay = 0;
  #closed = false;

  constructor(backend: ResultBackend, notifier: Notifier | undefined, clock: Clock) {
    this.#backend = backend;
    this.#notifier = notifier;
    this.#clock = clock;
  }

  /**
   * Calls `found` once with the job's outcome, or `failed` if it cannot be learned.
   *
   * @returns stops waiting.
   */
  watch(id: string, found: Found, failed: Failed): () => void {
    const watch: Watch = { id, found, failed };
    this.#noteNews();
    const others = this.#watched.get(id);
    if (others === undefined) this.#watched.set(id, new Set([watch]));
    else others.add(watch);
    const unsubscribing = this.#subscribe(id, watch).catch((error: unknown) => {
      this.#remove(watch);
      failed(error);
      return nothing;
    });
    return () => {
      this.#remove(watch);
      void unsubscribing.then((unsubscribe) => unsubscribe());
    };
  }

  /** Ends every wait, now and from now on: no outcome would come any more. */
  close(): void {
    this.#closed = true;
    for (const id of this.#watched.keys()) for (const watch of this.#take(id)) watch.failed(closedError());
  }

  async #subscribe(id: string, watch: Watch): Promise<Unsubscribe> {
    if (this.#closed) throw closedError();
    const listener: Listener = (outcome) => {
      if (outcome === undefined) this.#read(id);
      else this.#resolve(id, outcome);
    };
    const unsubscribe = (await this.#notifier?.subscribe({ kind: "outcome", id }, listener)) ?? nothing;
    if (this.#watched.get(id)?.has(watch)) this.#read(id);
    return unsubscribe;
  }

  /** Reads with all others that ask in this turn of the event loop. */
  #read(id: string): void {
    this.#due.add(id);
    if (this.#reading) return;
    this.#reading = true;
    setImmediate(() => void this.#readDue());
  }

  async #readDue(): Promise<void> {
    while (this.#due.size > 0) {
      const ids = [...this.#due].filter((id) => this.#watched.has(id));
      this.#due = new Set();
      await this.#readBatch(ids);
    }
    this.#reading = false;
    this.#arm();
  }

  async #readBatch(ids: readonly string[]): Promise<void> {
    const began = this.#clock.now();
    try {
      const outcomes = ids.length === 0 ? [] : await this.#ask(ids);
      this.#readTime = this.#clock.now() - began;
      for (const outcome of outcomes) if (outcome !== undefined) this.#resolve(outcome.id, outcome);
    } catch (error) {
      for (const id of ids) for (const watch of this.#take(id)) watch.failed(error);
    }
  }

  /** An answer that was lost on its way is asked for again, once: by then there is a new connection, or an error that says so. */
  async #ask(ids: readonly string[]): Promise<(OutcomeRecord | undefined)[]> {
    try {
      return await this.#backend.read(ids);
    } catch (error) {
      if (!(error instanceof TaskwrightError) || error.outcome !== "unknown") throw error;
      return this.#backend.read(ids);
    }
  }

  #arm(): void {
    if (this.#timer !== undefined || this.#watched.size === 0) return;
    this.#delay = this.#interval();
    this.#timer = this.#clock.schedule(() => this.#poll(), this.#delay, true);
  }

  #interval(): number {
    if (this.#notifier !== undefined) return SAFETY_POLL;
    const quiet = (this.#clock.now() - this.#lastNews) / POLL_PART;
    return Math.min(POLL_MAX, Math.max(POLL_MIN, quiet, this.#readTime * (READ_PART - 1)));
  }

  /** An interval that had grown is cut short. */
  #noteNews(): void {
    this.#lastNews = this.#clock.now();
    if (this.#timer === undefined || this.#delay <= this.#interval()) return;
    this.#timer();
    this.#timer = undefined;
    this.#arm();
  }

  #poll(): void {
    this.#timer = undefined;
    for (const id of this.#watched.keys()) this.#read(id);
  }

  #resolve(id: string, outcome: OutcomeRecord): void {
    this.#lastNews = this.#clock.now();
    for (const watch of this.#take(id)) watch.found(outcome);
  }

  #take(id: string): Iterable<Watch> {
    const watches = this.#watched.get(id) ?? [];
    this.#watched.delete(id);
    this.#disarm();
    return watches;
  }

  #remove(watch: Watch): void {
    const others = this.#watched.get(watch.id);
    if (others === undefined) return;
    others.delete(watch);
    if (others.size === 0) this.#watched.delete(watch.id);
    this.#disarm();
  }

  #disarm(): void {
    if (this.#watched.size > 0) return;
    this.#timer?.();
    this.#timer = undefined;
  }
}

function nothing(): void {}

/** What a handle of a closed app answers with. */
export function closedError(): BrokerError {
  return new BrokerError("the app was closed: use app.job(id) for a handle that opens it again", { retryable: false });
}
