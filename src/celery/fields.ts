import { UnreadableError } from "../job/errors.js";

/** An object of a message, none of whose values is trusted. */
export type Fields = Readonly<Record<string, unknown>>;

export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
}

/** Says what is wrong with a message from outside. It is parked with this as its reason. */
export function malformed(what: string): UnreadableError {
  return new UnreadableError(`the Celery message ${what}`);
}

/** A text that must be there. */
export function textOf(fields: Fields, name: string): string {
  const value = optionalText(fields, name);
  if (value === undefined || value === "") throw malformed(`has no ${name}`);
  return value;
}

/** Python's `None`, and a field that is missing, are `undefined` here. */
export function optionalText(fields: Fields, name: string): string | undefined {
  return optional(fields, name, (value): value is string => typeof value === "string", "a string");
}

export function optionalNumber(fields: Fields, name: string): number | undefined {
  return optional(fields, name, isNumber, "a number");
}

export function optionalFlag(fields: Fields, name: string): boolean | undefined {
  return optional(fields, name, (value): value is boolean => typeof value === "boolean", "true or false");
}

export function optionalFields(fields: Fields, name: string): Fields | undefined {
  return optional(fields, name, isFields, "an object");
}

export function optionalList(fields: Fields, name: string): readonly unknown[] | undefined {
  return optional(fields, name, (value): value is unknown[] => Array.isArray(value), "a list");
}

/** A count that is 0 where it is missing, such as `retries`. */
export function countOf(fields: Fields, name: string): number {
  const value = optionalNumber(fields, name) ?? 0;
  if (!Number.isSafeInteger(value) || value < 0) throw malformed(`has a ${name} that is no count: ${value}`);
  return value;
}

function isNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

function optional<T>(
  fields: Fields,
  name: string,
  is: (value: unknown) => value is T,
  expected: string,
): T | undefined {
  const value = Object.hasOwn(fields, name) ? fields[name] : undefined;
  if (value === undefined || value === null) return undefined;
  if (is(value)) return value;
  throw malformed(`has a ${name} that is not ${expected}`);
}
