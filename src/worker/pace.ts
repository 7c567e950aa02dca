import type { Clock } from "../contracts/index.js";

/** How far ahead a worker claims, in ms: a job that waits here for less would hardly start sooner anywhere else. */
const AHEAD = 10;

/**
 * The most jobs that are claimed ahead. With 100 slots, a worker with no-op tasks on Redis claims 300 at a time then instead of 50,
 * and works off 100,000 jobs at 233,000 a second instead of 118,000 (with results 173,000 instead of 101,000): each claim and
 * each settlement costs 60 microseconds for writing to the socket alone. 900 gave 248,000 and 163,000; but what a worker that is
 * killed had in hand has lost an attempt.
 */
const MOST = 500;

/** The pace is that of the last so many ms or more. */
const WINDOW = 5;

/** How fast a worker is of late, and so how many jobs it will need in a moment. */
export class Pace {
  readonly #clock: Clock;
  #since: number;
  #ended = 0;
  /** Jobs a millisecond. */
  #rate = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#since = clock.now();
  }

  /** A handler has ended. */
  ended(): void {
    this.#ended += 1;
  }

  /** How many jobs to hold beside those that can start now. */
  get ahead(): number {
    const elapsed = this.#clock.now() - this.#since;
    if (elapsed >= WINDOW) {
      this.#rate = this.#ended / elapsed;
      this.#since += elapsed;
      this.#ended = 0;
    }
    return Math.min(MOST, Math.floor(this.#rate * AHEAD));
  }
}
