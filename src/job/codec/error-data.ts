import { types as is } from "node:util";
import { builtInName, isOwnError, OWN_ERROR } from "./known-errors.js";

/** An error as it travels: plain data. */
export interface ErrorData {
  /** The error's name; where the class did not set one, the name of the class. */
  readonly name: string;
  readonly message: string;
  readonly stack?: string;
  /** The cause, of the same form. Absent beyond eight of them. */
  readonly cause?: ErrorData;
  /** The error's other own enumerable properties, without those that cannot be sent. */
  readonly data?: Readonly<Record<string, unknown>>;
  readonly code?: string | number;
  /** What makes it an error again, where that is not `name`: a class's name, `"taskwright"`, or `"NonError"`. */
  readonly type?: string;
}

/** The `type` of what was thrown without being an error. The value is in `data.value`. */
export const NON_ERROR = "NonError";

const MAX_CAUSES = 8;
/** A stack longer than this, in characters, is cut: some hold whole queries or documents. */
const MAX_STACK = 32_768;
const STANDARD: ReadonlySet<string> = new Set(["name", "message", "stack", "cause", "code"]);

/**
 * Describes anything thrown as data. Never throws, whatever getters do.
 *
 * @param isSendable Which of its own properties' values to keep.
 */
export function describeError(error: unknown, isSendable: (value: unknown) => boolean): ErrorData {
  return describe(error, isSendable, []);
}

function describe(error: unknown, isSendable: (value: unknown) => boolean, effects: readonly unknown[]): ErrorData {
  if (!isError(error)) return describeNonError(error, isSendable);
  const { name, type } = identify(error);
  const code = read(error, "code");
  const cause = read(error, "cause");
  const stack = read(error, "stack");
  const data = ownProperties(error, isSendable);
  const causes = [...effects, error];
  return {
    name,
    message: text(read(error, "message")),
    ...(typeof stack === "string" ? { stack: stack.slice(0, MAX_STACK) } : {}),
    ...(isCause(cause, causes) ? { cause: describe(cause, isSendable, causes) } : {}),
    ...(Object.keys(data).length > 0 ? { data } : {}),
    ...(isCode(code) ? { code } : {}),
    ...(type === name ? {} : { type }),
  };
}

function isCause(cause: unknown, effects: readonly unknown[]): boolean {
  return cause !== undefined && effects.length <= MAX_CAUSES && !effects.includes(cause);
}

/** A class that inherits its name from a built-in error has not set one, and its own name says more. */
function identify(error: Error): { name: string; type: string } {
  const name = text(read(error, "name")) || "Error";
  const errorClass = read(error, "constructor");
  const className = typeof errorClass === "function" ? errorClass.name : "";
  if (isOwnError(error, className)) return { name, type: OWN_ERROR };
  if (className === "") return { name, type: name };
  const inherited = !Object.hasOwn(error, "name") && builtInName(name) !== undefined;
  return { name: inherited && className !== "DOMException" ? className : name, type: className };
}

function ownProperties(error: Error, isSendable: (value: unknown) => boolean): Record<string, unknown> {
  const properties: Record<string, unknown> = {};
  const add = (key: string, value: unknown): void => {
    if (value !== undefined && isSendable(value)) properties[key] = value;
  };
  for (const key of Object.keys(error)) {
    const isStandard = STANDARD.has(key) && !(key === "code" && !isCode(read(error, key)));
    if (!isStandard && key !== "__proto__") add(key, read(error, key));
  }
  if (error instanceof AggregateError) add("errors", read(error, "errors"));
  return properties;
}

function describeNonError(value: unknown, isSendable: (value: unknown) => boolean): ErrorData {
  const data = isSendable(value) ? { value } : {};
  return { name: NON_ERROR, message: messageOf(value), data };
}

function messageOf(value: unknown): string {
  if (typeof value === "string") return value;
  const message = typeof value === "object" && value !== null ? read(value, "message") : undefined;
  if (typeof message === "string") return message;
  return `${show(value)} was thrown, which is not an Error`;
}

function show(value: unknown): string {
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? "an array" : "an object";
  return typeof value === "function" ? "a function" : String(value);
}

function isError(value: unknown): value is Error {
  return is.isNativeError(value) || value instanceof Error;
}

function isCode(code: unknown): code is string | number {
  return typeof code === "string" || typeof code === "number";
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** Getters of foreign errors may throw. */
function read(object: object, key: string): unknown {
  try {
    return (object as Readonly<Record<string, unknown>>)[key];
  } catch {
    return undefined;
  }
}
