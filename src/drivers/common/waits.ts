import type { Clock } from "../../contracts/clock.js";

/** The waits of a consumer's claims that have found nothing. */
export class Waits {
  readonly #clock: Clock;
  /** Ends a wait, and the time until which it was to last. */
  readonly #pending = new Map<() => void, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Until it is woken, the time is over, or the signal aborts.
   *
   * @param ms - Milliseconds.
   */
  wait(ms: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      // At least 1 ms: Node's timers may fire up to a millisecond early.
      const delay = Math.max(1, Math.ceil(ms));
      const end = (): void => {
        cancel();
        this.#pending.delete(end);
        signal?.removeEventListener("abort", end);
        resolve();
      };
      const cancel = this.#clock.schedule(end, delay, true);
      this.#pending.set(end, this.#clock.now() + delay);
      signal?.addEventListener("abort", end, { once: true });
    });
  }

  /**
   * Ends the waits that would last beyond a moment, such as that at which a job is due.
   *
   * @param due - Epoch ms of the clock. Absent: all of them end.
   */
  wake(due = Number.NEGATIVE_INFINITY): void {
    // Push brokers call this for each message, mostly while nobody waits.
    if (this.#pending.size === 0) return;
    for (const [end, until] of [...this.#pending]) if (due < until) end();
  }
}
