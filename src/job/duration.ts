import ms, { type StringValue } from "ms";
import { ConfigError } from "./errors.js";

/** A span of time: milliseconds, or a number with a unit such as `"250ms"`, `"10s"`, `"5m"`, `"2h"`, `"1d"`, `"1w"`. */
export type Duration = number | string;

const EXAMPLES = 'use milliseconds (500) or a number with a unit ("250ms", "10s", "5m", "1.5h", "1d")';
const UNITS = [
  ["w", 7 * 24 * 60 * 60 * 1000],
  ["d", 24 * 60 * 60 * 1000],
  ["h", 60 * 60 * 1000],
  ["m", 60 * 1000],
  ["s", 1000],
] as const;

/**
 * Reads a duration.
 *
 * @param value Milliseconds, or text with a unit. Text without a unit is milliseconds.
 * @param name What the duration is for, such as `"timeout"`; errors start with it.
 * @returns Whole milliseconds, rounded to the nearest.
 * @throws {ConfigError} when it is negative, not finite, empty, of an unknown unit or beyond 2^53 milliseconds.
 *
 * @example
 * parseDuration("1.5h", "timeout"); // 5_400_000
 */
export function parseDuration(value: Duration, name: string): number {
  const parsed = typeof value === "string" ? parseText(value.trim()) : value;
  if (typeof parsed !== "number" || Number.isNaN(parsed)) {
    throw new ConfigError(`${name} is ${show(value)}, which is not a duration: ${EXAMPLES}`);
  }
  if (parsed < 0) throw new ConfigError(`${name} is ${show(value)}, but a duration cannot be negative: ${EXAMPLES}`);
  const rounded = Math.round(parsed);
  if (!Number.isSafeInteger(rounded))
    throw new ConfigError(`${name} is ${show(value)}, which is too long: ${EXAMPLES}`);
  return rounded;
}

/**
 * Writes a duration in the largest unit that keeps it exact, so that `parseDuration` reads the same value back.
 *
 * @param milliseconds Finite and not negative.
 *
 * @example
 * formatDuration(90_000); // "90s"
 */
export function formatDuration(milliseconds: number): string {
  if (milliseconds === 0) return "0ms";
  const unit = UNITS.find(([, size]) => milliseconds % size === 0);
  return unit === undefined ? `${milliseconds}ms` : `${milliseconds / unit[1]}${unit[0]}`;
}

/** `ms` answers `undefined` for a unit it does not know, and throws for empty text. */
function parseText(text: string): number | undefined {
  return text === "" ? undefined : ms(text as StringValue);
}

function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "object" && value !== null) return "an object";
  return String(value);
}
