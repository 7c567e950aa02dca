import type { Clock, Random } from "../contracts/index.js";

const FIRST = 100;
const LONGEST = 5000;

/** Growing pauses between tries while something is away: 100 ms, doubling up to 5 s, each with up to half of jitter. */
export class Pause {
  readonly #clock: Clock;
  readonly #random: Random;
  #base = FIRST;

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  /** The next pause, in ms, before jitter. */
  get next(): number {
    return this.#base;
  }

  reset(): void {
    this.#base = FIRST;
  }

  /** Waits, or until the signal aborts. */
  wait(signal?: AbortSignal): Promise<void> {
    const delay = this.#base * (1 - this.#random() / 2);
    this.#base = Math.min(LONGEST, this.#base * 2);
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const end = (): void => {
        cancel();
        signal?.removeEventListener("abort", end);
        resolve();
      };
      const cancel = this.#clock.schedule(end, delay, true);
      signal?.addEventListener("abort", end, { once: true });
    });
  }
}
