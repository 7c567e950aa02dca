import type { CancelTimer, Clock } from "../contracts/clock.js";
import { type Duration, parseDuration } from "../job/duration.js";

/**
 * Turns of the event loop between two timers. Work that a timer starts may hop through a few `setImmediate` of its own
 * (batching does one) before it sets its next timer.
 */
const TURNS = 4;

interface Timer {
  readonly at: number;
  readonly callback: () => void;
}

/**
 * A clock that stands still until it is told to move, so that tests of delays, leases and schedules neither sleep nor race.
 *
 * @example
 * import { FakeClock } from "taskwright/testing";
 *
 * const clock = new FakeClock(new Date("2027-01-01"));
 * clock.schedule(() => console.log("an hour later"), 3_600_000);
 * await clock.advance("1h");
 */
export class FakeClock implements Clock {
  #now: number;
  /** By when they are due, then by when they were set. */
  #timers: Timer[] = [];

  /** @param start - what `now()` answers at first. Default: 2027-01-01T00:00:00Z. */
  constructor(start: Date = new Date("2027-01-01T00:00:00Z")) {
    this.#now = start.getTime();
  }

  /** How many timers are set: 0 when nothing was left behind. */
  get pending(): number {
    return this.#timers.length;
  }

  now(): number {
    return this.#now;
  }

  schedule(callback: () => void, delay: number): CancelTimer {
    const timer: Timer = { at: this.#now + Math.max(0, delay), callback };
    const later = this.#timers.findIndex((other) => other.at > timer.at);
    this.#timers.splice(later === -1 ? this.#timers.length : later, 0, timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /**
   * Moves time forward, firing each timer at its own moment and in order. Before, between and after them, promises and
   * `setImmediate` callbacks run, so that timers set on the way fire as well.
   *
   * @param duration - how far: milliseconds, or text such as `"5m"`
   * @throws ConfigError when it is not a duration
   */
  async advance(duration: Duration): Promise<void> {
    const target = this.#now + parseDuration(duration, "duration");
    await turns();
    for (let timer = this.#timers[0]; timer && timer.at <= target; timer = this.#timers[0]) {
      this.#timers.shift();
      this.#now = Math.max(this.#now, timer.at);
      timer.callback();
      await turns();
    }
    this.#now = Math.max(this.#now, target);
    await turns();
  }
}

async function turns(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn++) await new Promise((resolve) => setImmediate(resolve));
}
