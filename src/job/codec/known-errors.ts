import * as own from "../errors.js";
import { isRecord } from "../is-record.js";

/** The `type` of taskwright's own errors, which are told apart by their code. */
export const OWN_ERROR = "taskwright";

type Simple = new (message: string, options: own.TaskwrightErrorOptions) => own.TaskwrightError;

/** By code. `validation` and `remote` have more to restore. */
const OWN_ERRORS: Readonly<Record<Exclude<own.ErrorCode, "remote" | "validation">, Simple>> = {
  broker: own.BrokerError,
  cancelled: own.CancelledError,
  config: own.ConfigError,
  expired: own.ExpiredError,
  "lease-lost": own.LeaseLostError,
  "missing-dependency": own.MissingDependencyError,
  "no-result": own.NoResultError,
  schema: own.SchemaError,
  shutdown: own.ShutdownError,
  timeout: own.TimeoutError,
  "unknown-task": own.UnknownTaskError,
  unreadable: own.UnreadableError,
  unsupported: own.UnsupportedError,
};
const OWN_CLASSES = [...Object.values(OWN_ERRORS), own.ValidationError, own.RemoteError];

/** The standard errors, which any JavaScript side has. */
const BUILT_IN = { Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError, AggregateError };

/** Is it one of taskwright's own errors, maybe of another copy of the package, and not of a subclass? */
export function isOwnError(error: Error, className: string): boolean {
  return OWN_CLASSES.some((OwnError) => OwnError.name === className && error instanceof OwnError);
}

/** The name, where a standard error has it. */
export function builtInName(name: string): keyof typeof BUILT_IN | undefined {
  return Object.hasOwn(BUILT_IN, name) ? (name as keyof typeof BUILT_IN) : undefined;
}

/** The prototype of a standard error. */
export function builtInPrototype(name: string): object | undefined {
  const known = builtInName(name);
  return known === undefined ? undefined : BUILT_IN[known].prototype;
}

/** What taskwright's own errors are made of again. */
export interface OwnErrorFields {
  readonly name: string;
  readonly message: string;
  readonly code: unknown;
  readonly cause: unknown;
  readonly data: Readonly<Record<string, unknown>>;
}

/** Makes one of taskwright's errors by its code; `undefined` for a code this version does not know. */
export function restoreOwnError({ name, message, code, cause, data }: OwnErrorFields): own.TaskwrightError | undefined {
  const options: own.TaskwrightErrorOptions = {
    cause,
    retryable: data.retryable === true,
    outcome: data.outcome === "unknown" ? "unknown" : "none",
  };
  if (code === "validation") return new own.ValidationError(message, readIssues(data.issues), options);
  if (code === "remote") return new own.RemoteError(name, message, isRecord(data.data) ? data.data : {}, options);
  return isSimpleCode(code) ? new OWN_ERRORS[code](message, options) : undefined;
}

function isSimpleCode(code: unknown): code is keyof typeof OWN_ERRORS {
  return typeof code === "string" && Object.hasOwn(OWN_ERRORS, code);
}

function readIssues(issues: unknown): own.ValidationIssue[] {
  if (!Array.isArray(issues)) return [];
  return issues.filter(isRecord).map(({ message, path }) => ({ message: String(message), path: String(path) }));
}
