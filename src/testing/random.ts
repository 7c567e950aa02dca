import type { Random } from "../contracts/clock.js";

/**
 * Uniform numbers in `[0, 1)` that are the same for the same seed (mulberry32), so that what chance did can be repeated.
 *
 * @param seed - any integer; its lowest 32 bits count
 * @example
 * import { Taskwright } from "taskwright";
 * import { seededRandom } from "taskwright/testing";
 *
 * const app = new Taskwright({ random: seededRandom(42) });
 */
export function seededRandom(seed: number): Random {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}
