import { ConfigError } from "../job/errors.js";

/** What nests deeper cannot be sent: Python's own limit is 1000, and a circle has no end. */
const DEEPEST = 500;

/** Which form a value is for. JSON has no bytes. */
export type Form = "json" | "msgpack";

/**
 * A value as Python reads it: `Date` becomes ISO 8601 text, as kombu does with `datetime`; `undefined` in a list becomes
 * `None`, and in an object is left out.
 *
 * @param name - What the value is, for errors, such as `"args"`.
 * @throws ConfigError for what Python could not read.
 */
export function plainValue(value: unknown, form: Form, name: string, depth = 0): unknown {
  if (depth > DEEPEST) throw new ConfigError(`${name} nests deeper than ${DEEPEST} levels, or contains itself`);
  if (typeof value === "number") return plainNumber(value, name);
  if (value === null || typeof value === "string" || typeof value === "boolean") return value;
  if (value === undefined) return null;
  if (typeof value === "bigint") return plainBigint(value, form, name);
  if (value instanceof Date) return isoOf(value, name);
  if (value instanceof Uint8Array) return plainBytes(value, form, name);
  if (Array.isArray(value)) return value.map((one, at) => plainValue(one, form, `${name}[${at}]`, depth + 1));
  if (isPlainObject(value)) return plainObject(value, form, name, depth);
  throw new ConfigError(`${name} is ${describe(value)}, which Celery's protocol cannot carry: send plain data`);
}

function plainObject(value: object, form: Form, name: string, depth: number): Record<string, unknown> {
  const entries = Object.entries(value).filter(([, one]) => one !== undefined);
  return Object.fromEntries(entries.map(([key, one]) => [key, plainValue(one, form, `${name}.${key}`, depth + 1)]));
}

function plainNumber(value: number, name: string): number {
  if (Number.isFinite(value)) return value;
  throw new ConfigError(`${name} is ${value}, which JSON has not`);
}

function plainBigint(value: bigint, form: Form, name: string): number | bigint {
  if (Number.isSafeInteger(Number(value))) return Number(value);
  if (form === "msgpack" && value >= -(2n ** 63n) && value < 2n ** 64n) return value;
  throw new ConfigError(`${name} is ${value}, which is too large for ${form}: send it as text`);
}

function plainBytes(value: Uint8Array, form: Form, name: string): Uint8Array {
  if (form === "msgpack") return value;
  throw new ConfigError(`${name} is bytes, which JSON has not: set codec: "msgpack", or send base64 text`);
}

function isoOf(value: Date, name: string): string {
  if (Number.isNaN(value.getTime())) throw new ConfigError(`${name} is an invalid Date`);
  return value.toISOString().replace("Z", "+00:00");
}

function isPlainObject(value: unknown): value is object {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function describe(value: unknown): string {
  if (typeof value !== "object" || value === null) return `a ${typeof value}`;
  const { name } = value.constructor ?? {};
  return typeof name === "string" && name !== "" ? `a ${name}` : "an object";
}
