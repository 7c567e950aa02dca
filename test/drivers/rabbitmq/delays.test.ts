import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  LONGEST_DELAY,
  patternAt,
  patternOf,
  roughly,
  routingKey,
  steps,
  waitOf,
} from "../../../src/drivers/rabbitmq/delays.js";

const DAY = 86_400_000;

/** How long a message waits in all, in ms. */
function length(ms: number): number {
  return steps(waitOf(ms)).reduce((sum, { place, digit }) => sum + digit * 16 ** place, 0);
}

/** As a topic exchange does. */
function matches(pattern: string, key: string): boolean {
  const source = pattern.replaceAll(".", "\\.").replaceAll("*", "[^.]+").replaceAll("#", ".*");
  return new RegExp(`^${source}$`).test(key);
}

describe("a delay", () => {
  test("never ends early, and by at most five digits' rounding late", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: LONGEST_DELAY }), (ms) => {
        expect(length(ms)).toBeGreaterThanOrEqual(ms);
        expect(length(ms) - ms).toBeLessThan(Math.max(1, ms / 16 ** 4));
        expect(steps(waitOf(ms)).length).toBeLessThanOrEqual(6);
      }),
    );
    expect(length(60_000)).toBe(60_000);
    expect(length(DAY) - DAY).toBeLessThanOrEqual(300);
    expect(length(400 * DAY)).toBe(LONGEST_DELAY);
  });

  test("that need not be exact takes one wait", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: LONGEST_DELAY }), (ms) => {
        expect(steps(waitOf(roughly(ms)))).toHaveLength(1);
        expect(roughly(ms)).toBeGreaterThanOrEqual(Math.min(ms, LONGEST_DELAY));
      }),
    );
    expect(roughly(0)).toBe(0);
  });

  test("is led through its digits, each place by one binding, and to its queue at the end, whatever its name", () => {
    const queue = "a.*.#.b";
    const key = routingKey(waitOf(0x1f4), queue);
    expect(Array.from({ length: 16 }, (_, digit) => matches(patternAt(1, digit), key)).indexOf(true)).toBe(0xf);
    expect(matches(patternAt(2, 1), key)).toBe(true);
    expect(matches(patternAt(3, 0), key)).toBe(true);
    expect(matches(patternOf(queue), key)).toBe(true);
    expect(matches(patternOf("a.b.c.b"), key)).toBe(false);
  });
});
