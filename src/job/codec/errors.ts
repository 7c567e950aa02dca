import { ConfigError, RemoteError } from "../errors.js";
import { isRecord } from "../is-record.js";
import { describeError, type ErrorData, NON_ERROR } from "./error-data.js";
import { isSendable } from "./flatten.js";
import { builtInPrototype, OWN_ERROR, restoreOwnError } from "./known-errors.js";
import { TypeRegistry } from "./types.js";

type ErrorClass<E extends Error> = abstract new (...args: never[]) => E;
type Revive = (data: ErrorData) => Error;

/**
 * The error classes that come back as themselves when a task throws them somewhere else.
 *
 * @example
 * class PaymentError extends Error {
 *   constructor(readonly reason: string) {
 *     super(`payment refused: ${reason}`);
 *   }
 * }
 * app.errors.register(PaymentError);
 */
export class ErrorRegistry {
  readonly #classes = new Map<string, { readonly prototype: object; readonly revive: Revive | undefined }>();

  /**
   * Adds a class, known on the wire by its own name.
   *
   * @param revive Makes the error from its data. Default: an instance with the same message, cause and own properties,
   *   made without calling the constructor.
   * @throws {ConfigError} when the class has no name, or another class of this name is registered.
   */
  register<E extends Error>(errorClass: ErrorClass<E>, revive?: (data: ErrorData) => E): void {
    const { name } = errorClass;
    const prototype: object = errorClass.prototype;
    if (name === "") throw new ConfigError("an error class needs a name to be registered");
    const known = this.#classes.get(name);
    if (known !== undefined && known.prototype !== prototype) {
      throw new ConfigError(`another error class named "${name}" is registered already`);
    }
    this.#classes.set(name, { prototype, revive });
  }

  /** @internal */
  find(name: string): { readonly prototype: object; readonly revive: Revive | undefined } | undefined {
    return this.#classes.get(name);
  }
}

const NO_TYPES = new TypeRegistry();

/**
 * Writes anything thrown as plain data: an error with its stack, up to eight causes and its own properties; anything else
 * as a `NonError` that keeps the value in `data.value`. What cannot be sent is left out. Never throws.
 *
 * @param types The custom types that its properties may hold.
 */
export function encodeError(error: unknown, types: TypeRegistry = NO_TYPES): ErrorData {
  return describeError(error, (value) => isSendable(value, types));
}

/**
 * Makes an error from data that came over the wire: an instance of the registered class, a standard error or one of
 * taskwright's own where it was one, and otherwise a `RemoteError`. It has the stack of where it was thrown. Never throws,
 * whatever the data is.
 */
export function decodeError(data: unknown, errors: ErrorRegistry): Error {
  return restore(readErrorData(data), errors);
}

function restore(data: ErrorData, errors: ErrorRegistry): Error {
  const error = restoreRegistered(data, errors) ?? restoreKnown(data, errors) ?? restoreRemote(data, errors);
  define(error, "stack", data.stack ?? `${data.name}: ${data.message}`);
  return error;
}

function restoreRegistered(data: ErrorData, errors: ErrorRegistry): Error | undefined {
  const registered = errors.find(data.type ?? data.name);
  if (registered === undefined) return undefined;
  if (registered.revive === undefined) return instanceOf(registered.prototype, data, errors);
  try {
    const revived: unknown = registered.revive(data);
    return revived instanceof Error ? revived : undefined;
  } catch {
    // The task's error matters more than one in reviving it.
    return undefined;
  }
}

function restoreKnown(data: ErrorData, errors: ErrorRegistry): Error | undefined {
  const type = data.type ?? data.name;
  const prototype = builtInPrototype(type);
  if (prototype !== undefined) return instanceOf(prototype, data, errors);
  const { name, message, code, data: properties = {} } = data;
  if (type === "DOMException") return new DOMException(message, name);
  if (type !== OWN_ERROR) return undefined;
  return restoreOwnError({ name, message, code, cause: restoreCause(data, errors), data: properties });
}

function restoreRemote(data: ErrorData, errors: ErrorRegistry): RemoteError {
  const cause = restoreCause(data, errors);
  return new RemoteError(data.name, data.message, ownProperties(data), cause === undefined ? {} : { cause });
}

/** Made by `Error`, so that it is a real one to `console` and debuggers, and then given its class. */
function instanceOf(prototype: object, data: ErrorData, errors: ErrorRegistry): Error {
  const error: Error = Object.setPrototypeOf(new Error(data.message), prototype);
  const cause = restoreCause(data, errors);
  if (cause !== undefined) define(error, "cause", cause);
  if (error.name !== data.name) define(error, "name", data.name);
  for (const [key, value] of Object.entries(ownProperties(data))) {
    define(error, key, value, !(key === "errors" && error instanceof AggregateError));
  }
  return error;
}

function ownProperties({ data, code }: ErrorData): Record<string, unknown> {
  return code === undefined ? { ...data } : { ...data, code };
}

/** What was thrown without being an error is again just that as a cause. */
function restoreCause({ cause }: ErrorData, errors: ErrorRegistry): unknown {
  if (cause === undefined) return undefined;
  if (cause.name === NON_ERROR && cause.data !== undefined && "value" in cause.data) return cause.data.value;
  return restore(cause, errors);
}

/** Without effect on an error that `revive` has frozen. */
function define(error: Error, key: string, value: unknown, enumerable = false): void {
  Reflect.defineProperty(error, key, { value, enumerable, writable: true, configurable: true });
}

const MAX_CAUSES = 16;
/** A message cannot replace what makes an error work. */
const NOT_PROPERTIES: readonly string[] = ["__proto__", "constructor", "name", "message", "stack", "cause"];

function readErrorData(value: unknown, depth = 0): ErrorData {
  if (!isRecord(value)) return { name: "Error", message: "an error that could not be read" };
  const { name, message, stack, cause, data, code, type } = value;
  return {
    name: typeof name === "string" ? name : "Error",
    message: typeof message === "string" ? message : "",
    ...(typeof stack === "string" ? { stack } : {}),
    ...(cause === undefined || depth >= MAX_CAUSES ? {} : { cause: readErrorData(cause, depth + 1) }),
    ...(isRecord(data) ? { data: readProperties(data) } : {}),
    ...(typeof code === "string" || typeof code === "number" ? { code } : {}),
    ...(typeof type === "string" ? { type } : {}),
  };
}

function readProperties(data: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(data).filter(([key]) => !NOT_PROPERTIES.includes(key)));
}
