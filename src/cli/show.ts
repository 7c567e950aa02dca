import { inspect } from "node:util";
import { formatDuration } from "../job/duration.js";
import { plain } from "./table.js";
import type { Terminal } from "./terminal.js";

/** Writes a value as one JSON document. What JSON lacks becomes text: bigint, bytes (base64), errors, maps and sets. */
export function printJson(terminal: Terminal, value: unknown): void {
  terminal.print(JSON.stringify(value === undefined ? null : value, replacer, 2));
}

function replacer(this: unknown, _key: string, value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  if (value instanceof Error) return { ...value, name: value.name, message: value.message, stack: value.stack };
  if (value instanceof Map) return Object.fromEntries(value);
  if (value instanceof Set) return [...value];
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  // A Buffer has become { type, data } by now; its own value is still in the holder.
  const own = (this as Record<string, unknown>)[_key];
  return own instanceof Uint8Array ? Buffer.from(own).toString("base64") : value;
}

/** A value for people, in one line where it is short. */
export function showValue(value: unknown): string {
  return typeof value === "string" ? plain(value) : plain(inspect(value, { depth: 6, breakLength: 100 }));
}

/** Arguments as in a call, cut to `width`. */
export function showArguments(args: readonly unknown[] | undefined, width = 40): string {
  if (args === undefined) return "";
  const text = plain(args.map((arg) => inspect(arg, { depth: 2, breakLength: Number.POSITIVE_INFINITY })).join(", "));
  return text.length > width ? `${text.slice(0, width - 1)}…` : text;
}

/** `3s ago`, `in 5m`: the largest unit, rounded. */
export function showAge(time: number, now: number): string {
  const distance = Math.abs(now - time);
  const text = roughly(distance);
  return time > now + 500 ? `in ${text}` : `${text} ago`;
}

const UNITS: readonly (readonly [size: number, name: string])[] = [
  [86_400_000, "d"],
  [3_600_000, "h"],
  [60_000, "m"],
  [1000, "s"],
];

/** A duration for people: `1.2s`, `5m`, `3d`. */
export function roughly(ms: number): string {
  const unit = UNITS.find(([size]) => ms >= size);
  if (unit === undefined) return formatDuration(Math.round(ms));
  const value = ms / unit[0];
  return `${value < 10 ? Math.floor(value * 10) / 10 : Math.floor(value)}${unit[1]}`;
}
