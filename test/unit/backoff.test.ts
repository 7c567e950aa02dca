import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Backoff, type BackoffPolicy, backoffDelay, validateBackoff } from "../../src/job/backoff.js";
import { ConfigError } from "../../src/job/errors.js";

const middle = () => 0.5;
const delays = (backoff: Backoff, attempts: number) =>
  Array.from({ length: attempts }, (_, index) => backoffDelay(backoff, index + 1, undefined, middle));

describe("backoffDelay", () => {
  it("waits the same time for a bare duration and for a fixed policy", () => {
    expect(delays(500, 3)).toEqual([500, 500, 500]);
    expect(delays("2s", 2)).toEqual([2000, 2000]);
    expect(delays({ type: "fixed", delay: "1s" }, 2)).toEqual([1000, 1000]);
  });

  it("grows by the delay when linear", () => {
    expect(delays({ type: "linear", delay: "1s" }, 3)).toEqual([1000, 2000, 3000]);
  });

  it("doubles when exponential, or grows by its factor, up to max", () => {
    expect(delays({ type: "exponential", delay: "1s" }, 4)).toEqual([1000, 2000, 4000, 8000]);
    expect(delays({ type: "exponential", delay: "1s", factor: 3, max: "5s" }, 4)).toEqual([1000, 3000, 5000, 5000]);
  });

  it("stays at nothing when it starts at nothing, and within a hundred years when it has no max", () => {
    expect(backoffDelay({ type: "exponential", delay: 0 }, 5000, undefined, middle)).toBe(0);
    expect(backoffDelay({ type: "exponential", delay: 1 }, 5000, undefined, middle)).toBe(100 * 365 * 86_400_000);
  });

  it("spreads by the jitter fraction in both directions, after max, and never above max", () => {
    const backoff: Backoff = { type: "fixed", delay: 1000, jitter: 0.2 };
    expect(backoffDelay(backoff, 1, undefined, () => 0)).toBe(800);
    expect(backoffDelay(backoff, 1, undefined, middle)).toBe(1000);
    expect(backoffDelay(backoff, 1, undefined, () => 1 - 2 ** -53)).toBe(1200);
    expect(backoffDelay({ ...backoff, max: 1100 }, 1, undefined, () => 1 - 2 ** -53)).toBe(1100);
  });

  it("asks a function with the failed attempt and its error", () => {
    const error = new Error("busy");
    const seen: unknown[] = [];
    const backoff: Backoff = (attempt, reason) => {
      seen.push([attempt, reason]);
      return "3s";
    };
    expect(backoffDelay(backoff, 2, error, middle)).toBe(3000);
    expect(seen).toEqual([[2, error]]);
  });

  it("rejects a function's result that is no duration", () => {
    expect(() => backoffDelay(() => "soon", 1, undefined, middle)).toThrow(/the backoff function's result is "soon"/);
  });

  it("stays a usable number after any attempt, within max, and grows without jitter", () => {
    fc.assert(
      fc.property(
        policies(),
        fc.integer({ min: 1, max: 5000 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (policy, attempt, uniform) => {
          const delay = backoffDelay(policy, attempt, undefined, () => uniform);
          expect(Number.isSafeInteger(delay)).toBe(true);
          expect(delay).toBeGreaterThanOrEqual(0);
          if (policy.max !== undefined) expect(delay).toBeLessThanOrEqual(Number(policy.max));
          expect(Number.isNaN(new Date(Date.now() + delay).getTime())).toBe(false);
          const steady = { ...policy, jitter: 0 };
          expect(backoffDelay(steady, attempt + 1, undefined, middle)).toBeGreaterThanOrEqual(
            backoffDelay(steady, attempt, undefined, middle),
          );
          expect(Math.abs(delay - backoffDelay(steady, attempt, undefined, middle))).toBeLessThanOrEqual(
            Math.ceil((policy.jitter ?? 0) * backoffDelay(steady, attempt, undefined, middle)),
          );
        },
      ),
    );
  });
});

describe("validateBackoff", () => {
  it("accepts what backoffDelay accepts, and survives a round trip through JSON", () => {
    fc.assert(
      fc.property(policies(), (policy) => {
        expect(validateBackoff(JSON.parse(JSON.stringify(policy)), "backoff")).toEqual(policy);
      }),
    );
    expect(validateBackoff(5, "backoff")).toBe(5);
    expect(validateBackoff("5s", "backoff")).toBe("5s");
    const own = () => 1;
    expect(validateBackoff(own, "backoff")).toBe(own);
  });

  it.each<[unknown, RegExp]>([
    [null, /^defaults\.backoff is null/],
    [true, /^defaults\.backoff is true/],
    ["soon", /^defaults\.backoff is "soon"/],
    [-1, /^defaults\.backoff is -1/],
    [[], /^defaults\.backoff\.type must be/],
    [{ delay: 1 }, /^defaults\.backoff\.type must be/],
    [{ type: "quadratic", delay: 1 }, /^defaults\.backoff\.type must be/],
    [{ type: "fixed" }, /^defaults\.backoff\.delay must be a duration/],
    [{ type: "fixed", delay: "x" }, /^defaults\.backoff\.delay is "x"/],
    [{ type: "fixed", delay: 1, factor: 2 }, /^defaults\.backoff\.factor has a meaning for/],
    [{ type: "exponential", delay: 1, factor: 0.5 }, /^defaults\.backoff\.factor must be a number at least 1/],
    [{ type: "exponential", delay: 1, factor: Number.NaN }, /^defaults\.backoff\.factor must be/],
    [{ type: "exponential", delay: 1, jitter: 2 }, /^defaults\.backoff\.jitter must be a number from 0 to 1/],
    [{ type: "exponential", delay: 1, max: {} }, /^defaults\.backoff\.max must be a duration/],
    [{ type: "exponential", dealy: 1 }, /^defaults\.backoff\.dealy is not a setting.*delay/],
  ])("rejects %j", (value, message) => {
    expect(() => validateBackoff(value, "defaults.backoff")).toThrow(ConfigError);
    expect(() => validateBackoff(value, "defaults.backoff")).toThrow(message);
  });
});

function policies(): fc.Arbitrary<BackoffPolicy> {
  const optional = {
    max: fc.nat({ max: 10_000_000 }),
    jitter: fc.double({ min: 0, max: 1, noNaN: true }).map((jitter) => jitter + 0),
  };
  const exponential = {
    type: fc.constant("exponential" as const),
    delay: fc.nat({ max: 1_000_000 }),
    factor: fc.double({ min: 1, max: 100, noNaN: true }),
    ...optional,
  };
  const other = { type: fc.constantFrom("fixed" as const, "linear" as const), delay: exponential.delay, ...optional };
  return fc.oneof(
    fc.record(exponential, { requiredKeys: ["type", "delay"] }),
    fc.record(other, { requiredKeys: ["type", "delay"] }),
  );
}
