/** Stops a scheduled callback. Calling it again does nothing. */
export type CancelTimer = () => void;

/**
 * The only source of time in taskwright, injected so that tests never sleep.
 *
 * @example
 * import { FakeClock } from "taskwright/testing";
 * const clock = new FakeClock(new Date("2027-01-01"));
 * await clock.advance("1h");
 */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Calls back once after `delay` milliseconds, also after more than the 24.8 days of a `setTimeout`. The timer does not keep the process alive unless `keepAlive` is true. */
  schedule(callback: () => void, delay: number, keepAlive?: boolean): CancelTimer;
}

/** A source of uniform numbers in `[0, 1)`, injected so that jitter can be reproduced. */
export type Random = () => number;

/** A moment that the driver resolves with the server's clock: `in` milliseconds from now, or `at` an epoch time. */
export type When = { readonly in: number } | { readonly at: number };

/**
 * The epoch milliseconds of `when`, given the time that decides.
 *
 * @param now - The server's clock, in epoch ms.
 *
 * @example
 * import { resolveWhen } from "taskwright/contracts";
 * resolveWhen({ in: 500 }, 1000); // 1500
 */
export function resolveWhen(when: When, now: number): number {
  return "at" in when ? when.at : now + when.in;
}
