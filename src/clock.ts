import type { Clock } from "./contracts/index.js";

/** setTimeout holds 32 bits; a longer wait is taken in steps. */
const LONGEST_TIMEOUT = 2 ** 31 - 1;

/** The clock of the machine. */
export const systemClock: Clock = {
  now: () => Date.now(),
  schedule(callback, delay, keepAlive = false) {
    let timer: NodeJS.Timeout;
    const arm = (left: number): void => {
      const step = Math.min(left, LONGEST_TIMEOUT);
      timer = setTimeout(() => (left > step ? arm(left - step) : callback()), step);
      if (!keepAlive) timer.unref();
    };
    arm(Math.max(0, delay));
    return () => clearTimeout(timer);
  },
};
