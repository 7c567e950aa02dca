import { decodeError, type ErrorData, type ErrorRegistry } from "../job/codec/index.js";
import { CancelledError, ExpiredError, RemoteError, TimeoutError, UnknownTaskError } from "../job/errors.js";
import { type Fields, isFields } from "./fields.js";
import { plainValue } from "./values.js";

/** An exception as Celery's JSON results hold it. Python imports no module for it: it looks in those that are loaded. */
export interface WireException {
  readonly exc_type: string;
  /** The exception's `args`. */
  readonly exc_message: readonly unknown[];
  readonly exc_module: string | null;
}

/** JavaScript's errors that have a namesake, or next of kin, in Python. Others become a class of their own name there. */
const BUILTINS: Readonly<Record<string, string>> = {
  TypeError: "TypeError",
  RangeError: "ValueError",
  SyntaxError: "SyntaxError",
  ReferenceError: "NameError",
  NotImplementedError: "NotImplementedError",
};

/** An error as Python re-raises it: as the class it was where that is loaded, else as one made for its name. */
export function toException(error: unknown): WireException {
  const { name, message } = describe(error);
  if (error instanceof RemoteError && typeof error.data.module === "string") {
    const args = Array.isArray(error.data.args) ? error.data.args : [message];
    return { exc_type: name, exc_message: args.map(sendable), exc_module: error.data.module };
  }
  if (error instanceof TimeoutError) return celeryException("TimeLimitExceeded", message);
  if (error instanceof UnknownTaskError) return celeryException("NotRegistered", message);
  if (error instanceof ExpiredError) return celeryException("TaskRevokedError", "expired");
  if (error instanceof CancelledError) return celeryException("TaskRevokedError", message);
  const builtin = Object.hasOwn(BUILTINS, name) ? BUILTINS[name] : undefined;
  if (builtin !== undefined) return { exc_type: builtin, exc_message: [message], exc_module: "builtins" };
  return { exc_type: pythonName(name), exc_message: [message], exc_module: null };
}

/** An exception of Celery's own. */
export function celeryException(type: string, ...args: readonly string[]): WireException {
  return { exc_type: type, exc_message: args, exc_module: "celery.exceptions" };
}

/** The stack, where Python puts its traceback. */
export function tracebackOf(error: unknown): string | null {
  const stack = error instanceof Error ? error.stack : undefined;
  return typeof stack === "string" ? stack : null;
}

/**
 * A Python exception as an error: the registered class of its name, or else a `RemoteError` with its name, message and
 * traceback, whose `data` has its `module` and `args`.
 */
export function toError(result: unknown, traceback: unknown, errors: ErrorRegistry): Error {
  const { exc_type: type, exc_message: said, exc_module: module }: Fields = isFields(result) ? result : {};
  const name = typeof type === "string" && type !== "" ? type : "Exception";
  const args = Array.isArray(said) ? (said as unknown[]) : [said ?? ""];
  const where = typeof module === "string" ? module : undefined;
  const data: ErrorData = {
    name,
    message: args.map((one) => (typeof one === "string" ? one : JSON.stringify(one))).join(", "),
    ...(typeof traceback === "string" && { stack: traceback }),
    data: { args, ...(where !== undefined && { module: where }) },
    // Python's TypeError is not JavaScript's: only a class that somebody registered stands for it.
    type: errors.find(name) === undefined ? `${where ?? "python"}.${name}` : name,
  };
  return decodeError(data, errors);
}

/** Why a task was revoked. */
export function toRevoked(result: unknown): Error {
  const said: unknown = isFields(result) && Array.isArray(result.exc_message) ? result.exc_message[0] : undefined;
  if (said === "expired") return new ExpiredError();
  return typeof said === "string" && said !== "" ? new CancelledError(said) : new CancelledError();
}

function describe(error: unknown): { name: string; message: string } {
  if (!(error instanceof Error)) return { name: "Exception", message: String(error) };
  return { name: String(error.name || "Error"), message: String(error.message) };
}

/** What a class in Python can be called. */
function pythonName(name: string): string {
  const safe = name.replace(/[^A-Za-z0-9_]/g, "_").slice(0, 100);
  return /^[A-Za-z_]/.test(safe) ? safe : `_${safe}`;
}

function sendable(value: unknown): unknown {
  try {
    return plainValue(value, "json", "args");
  } catch {
    return String(value);
  }
}
