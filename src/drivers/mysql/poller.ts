import type { CancelTimer, Clock } from "../../contracts/clock.js";
import type { Statements } from "./statements/index.js";
import type { Look } from "./statements/looking.js";
import type { Store } from "./store.js";

/** A claim that waits. */
export interface Waiter {
  readonly queues: readonly string[];
  /** There may be something in one of its queues. */
  wake(): void;
  /** It could not be looked. */
  fail(error: unknown): void;
}

/** A worker that is told of requests to stop its jobs. */
export interface Holder {
  readonly worker: string;
  readonly onCancel: (ids: readonly string[]) => void;
}

/** What is waited, as a part of the time for which there has been nothing. */
const PART = 10;

/**
 * Looks for work, and for requests to stop jobs, on behalf of all who wait in this process: one query, one timer. MySQL
 * tells nobody of changes. While work comes, it looks every `min` ms; when none has come for a time, after a tenth of that
 * time, up to `max`. So a worker that has been idle for a second looks every 100 ms.
 */
export class Poller {
  readonly #store: Store;
  readonly #statements: Statements;
  readonly #clock: Clock;
  readonly #poll: { readonly min: number; readonly max: number };
  readonly #waiters = new Set<Waiter>();
  readonly #holders = new Set<Holder>();
  #cancelTimer: CancelTimer | undefined;
  #nextLook = Number.POSITIVE_INFINITY;
  #looking = false;
  #lastWork: number;
  #closed = false;

  constructor(
    store: Store,
    statements: Statements,
    clock: Clock,
    poll: { readonly min: number; readonly max: number },
  ) {
    this.#store = store;
    this.#statements = statements;
    this.#clock = clock;
    this.#poll = poll;
    this.#lastWork = clock.now();
  }

  /** Says that there was work, or that there is now: made in this process, it need not be looked for. */
  noteWork(): void {
    this.#lastWork = this.#clock.now();
  }

  /** Wakes everybody. */
  touch(): void {
    this.noteWork();
    for (const waiter of [...this.#waiters]) waiter.wake();
  }

  /** Answers how to end the wait. */
  wait(waiter: Waiter): () => void {
    this.#waiters.add(waiter);
    this.#arm();
    return () => this.#waiters.delete(waiter);
  }

  hold(holder: Holder): () => void {
    this.#holders.add(holder);
    this.#arm();
    return () => this.#holders.delete(holder);
  }

  close(): void {
    this.#closed = true;
    this.#cancelTimer?.();
  }

  #interval(): number {
    const { min, max } = this.#poll;
    // Nobody waits for work: only requests to stop are looked for.
    if (this.#waiters.size === 0) return max;
    return Math.min(max, Math.max(min, (this.#clock.now() - this.#lastWork) / PART));
  }

  /** Sets the timer, or brings it forward: somebody came, or it is known when the next job is due. */
  #arm(within = Number.POSITIVE_INFINITY): void {
    if (this.#closed || this.#looking || this.#waiters.size + this.#holders.size === 0) return;
    const delay = Math.min(within, this.#interval());
    const at = this.#clock.now() + delay;
    if (at >= this.#nextLook) return;
    this.#cancelTimer?.();
    this.#nextLook = at;
    this.#cancelTimer = this.#clock.schedule(() => void this.#look(), delay);
  }

  async #look(): Promise<void> {
    this.#looking = true;
    let nextDue = Number.POSITIVE_INFINITY;
    try {
      const queues = new Set([...this.#waiters].flatMap((waiter) => waiter.queues));
      const workers = [...this.#holders].map(({ worker }) => worker);
      const look = await this.#store.read((session) => this.#statements.looking.look(session, [...queues], workers));
      this.#tell(look);
      nextDue = Math.min(...look.nextDue.values());
    } catch (error) {
      for (const waiter of [...this.#waiters]) waiter.fail(error);
    }
    this.#looking = false;
    this.#nextLook = Number.POSITIVE_INFINITY;
    this.#arm(nextDue);
  }

  #tell({ ready, cancels }: Look): void {
    if (ready.size > 0) this.noteWork();
    for (const waiter of [...this.#waiters]) if (waiter.queues.some((queue) => ready.has(queue))) waiter.wake();
    for (const { worker, onCancel } of this.#holders) {
      const ids = cancels.get(worker);
      if (ids) onCancel(ids);
    }
  }
}
