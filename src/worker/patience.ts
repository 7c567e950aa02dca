import type { Clock, Random } from "../contracts/index.js";
import { TaskwrightError } from "../job/errors.js";
import { Pause } from "./pause.js";

export interface Patience {
  readonly clock: Clock;
  readonly random: Random;
  /** How long to keep trying while the broker is away: once the leases have passed, it is too late. In ms. */
  readonly patience: number;
  /** Called with each failure that is tried again, and the time until then in ms. */
  readonly onError: (error: unknown, delay: number) => void;
}

/** Tries again while the broker or backend is away. */
export async function patiently<T>({ clock, random, patience, onError }: Patience, step: () => Promise<T>): Promise<T> {
  const pause = new Pause(clock, random);
  for (const giveUp = clock.now() + patience; ; ) {
    try {
      return await step();
    } catch (error) {
      if (!isRetryable(error) || clock.now() >= giveUp) throw error;
      onError(error, pause.next);
      await pause.wait();
    }
  }
}

function isRetryable(error: unknown): boolean {
  return error instanceof TaskwrightError && error.retryable;
}
