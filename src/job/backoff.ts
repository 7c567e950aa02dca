import type { Random } from "../contracts/clock.js";
import { type Duration, parseDuration } from "./duration.js";
import { ConfigError } from "./errors.js";

/** How the delay before a retry grows. */
export interface BackoffPolicy {
  /** `fixed`: always `delay`. `linear`: `delay * attempt`. `exponential`: `delay * factor ** (attempt - 1)`. */
  readonly type: "fixed" | "linear" | "exponential";
  /** The delay after the first attempt. */
  readonly delay: Duration;
  /** What an exponential delay is multiplied by each time, at least 1. Default 2. */
  readonly factor?: number;
  /** No delay is longer than this. Default: a hundred years. */
  readonly max?: Duration;
  /** Spreads the delay by up to this fraction of itself in either direction, 0..1. Default 0. */
  readonly jitter?: number;
}

/**
 * How long to wait before a failed job runs again: a fixed duration, a policy, or a function of the attempt that failed
 * (1-based) and its error.
 *
 * @example
 * const backoff: Backoff = { type: "exponential", delay: "1s", max: "5m", jitter: 0.2 };
 */
export type Backoff = Duration | BackoffPolicy | ((attempt: number, error: unknown) => Duration);

const TYPES: readonly unknown[] = ["fixed", "linear", "exponential"];
const KEYS: readonly string[] = ["type", "delay", "factor", "max", "jitter"];
const EXAMPLE = 'such as "10s" or { type: "exponential", delay: "1s", max: "5m", jitter: 0.2 }';
/** Keeps `now + delay` a valid date when an exponential delay has no `max`. */
const CEILING = 100 * 365 * 24 * 60 * 60 * 1000;

/**
 * The milliseconds to wait after a failed attempt, whole and never above the policy's `max`.
 *
 * @param attempt The attempt that failed, 1-based.
 * @param error What it failed with; only a backoff function looks at it.
 * @param random Uniform in `[0, 1)`; only jitter uses it.
 * @throws {ConfigError} when the backoff holds, or its function returns, something that is not a duration.
 *
 * @example
 * backoffDelay({ type: "exponential", delay: "1s" }, 3, undefined, Math.random); // 4000
 */
export function backoffDelay(backoff: Backoff, attempt: number, error: unknown, random: Random): number {
  if (typeof backoff === "function") return parseDuration(backoff(attempt, error), "the backoff function's result");
  if (typeof backoff !== "object") return parseDuration(backoff, "backoff");
  const max = backoff.max === undefined ? CEILING : parseDuration(backoff.max, "backoff.max");
  const delay = Math.min(grow(backoff, attempt), max);
  const spread = (backoff.jitter ?? 0) * (2 * random() - 1);
  return Math.min(Math.max(Math.round(delay * (1 + spread)), 0), max);
}

/** `0 * Infinity` would be NaN, so no growth is computed for a delay of 0. */
function grow({ type, delay, factor = 2 }: BackoffPolicy, attempt: number): number {
  const first = parseDuration(delay, "backoff.delay");
  if (type === "fixed" || first === 0) return first;
  return type === "linear" ? first * attempt : first * factor ** (attempt - 1);
}

/**
 * Checks a backoff that came from a configuration or over the wire.
 *
 * @param name What it is for, such as `"backoff"` or `"defaults.backoff"`; errors start with it.
 * @throws {ConfigError} saying which part is wrong and what would be right.
 */
export function validateBackoff(value: unknown, name: string): Backoff {
  if (typeof value === "number" || typeof value === "string") {
    parseDuration(value, name);
    return value;
  }
  if (isBackoffFunction(value)) return value;
  if (typeof value !== "object" || value === null) {
    throw new ConfigError(
      `${name} is ${String(value)}, which is not a backoff: use a duration or a policy, ${EXAMPLE}`,
    );
  }
  return validatePolicy({ ...value }, name);
}

function validatePolicy(policy: Record<string, unknown>, name: string): BackoffPolicy {
  const unknown = Object.keys(policy).find((key) => !KEYS.includes(key));
  if (unknown !== undefined)
    throw new ConfigError(`${name}.${unknown} is not a setting: a backoff has ${KEYS.join(", ")}`);
  const { type, delay, factor, max, jitter } = policy;
  if (!isPolicyType(type)) throw new ConfigError(`${name}.type must be "fixed", "linear" or "exponential", ${EXAMPLE}`);
  if (factor !== undefined && type !== "exponential") {
    throw new ConfigError(`${name}.factor has a meaning for type "exponential" only, and the type is "${type}"`);
  }
  return {
    type,
    delay: duration(delay, `${name}.delay`),
    ...(factor === undefined ? {} : { factor: within(factor, 1, Number.MAX_VALUE, `${name}.factor`) }),
    ...(max === undefined ? {} : { max: duration(max, `${name}.max`) }),
    ...(jitter === undefined ? {} : { jitter: within(jitter, 0, 1, `${name}.jitter`) }),
  };
}

function isPolicyType(value: unknown): value is BackoffPolicy["type"] {
  return TYPES.includes(value);
}

/** A function's parameters cannot be checked; what it returns is checked at each use. */
function isBackoffFunction(value: unknown): value is (attempt: number, error: unknown) => Duration {
  return typeof value === "function";
}

function duration(value: unknown, name: string): Duration {
  if (typeof value !== "number" && typeof value !== "string") {
    throw new ConfigError(`${name} must be a duration: milliseconds, or text such as "10s"`);
  }
  parseDuration(value, name);
  return value;
}

function within(value: unknown, low: number, high: number, name: string): number {
  if (typeof value === "number" && value >= low && value <= high) return value;
  const range = high === Number.MAX_VALUE ? `at least ${low}` : `from ${low} to ${high}`;
  throw new ConfigError(`${name} must be a number ${range}, and it is ${String(value)}`);
}
