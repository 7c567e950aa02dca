const BRAND = Symbol.for("taskwright.error");

/** Did the operation possibly happen? `"none"`: certainly not. `"unknown"`: the answer was lost. */
export type OperationOutcome = "none" | "unknown";

/** The literal codes of taskwright's errors, for `switch` and for logs. */
export type ErrorCode =
  | "broker"
  | "cancelled"
  | "config"
  | "expired"
  | "lease-lost"
  | "missing-dependency"
  | "no-result"
  | "remote"
  | "schema"
  | "shutdown"
  | "timeout"
  | "unknown-task"
  | "unreadable"
  | "unsupported"
  | "validation";

/** What an error says beside its message. */
export interface TaskwrightErrorOptions {
  /** What led to it. */
  readonly cause?: unknown;
  /** May the same call succeed later? Default `false`. */
  readonly retryable?: boolean;
  /** Default `"none"`. */
  readonly outcome?: OperationOutcome;
}

/**
 * The base of every error that taskwright throws.
 *
 * `instanceof` compares a brand, so it holds across two copies of the package in one process.
 *
 * @example
 * try {
 *   await add.enqueue(1, 2);
 * } catch (error) {
 *   if (error instanceof TaskwrightError && error.outcome === "unknown") await add.with({ id }).enqueue(1, 2);
 * }
 */
export class TaskwrightError extends Error {
  /** What kind of error it is; each class has its own. */
  readonly code: ErrorCode;
  /** May the same call succeed later? */
  readonly retryable: boolean;
  /** Did the operation possibly happen? */
  readonly outcome: OperationOutcome;

  constructor(code: ErrorCode, message: string, options: TaskwrightErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
    this.retryable = options.retryable ?? false;
    this.outcome = options.outcome ?? "none";
    Object.defineProperty(this, BRAND, { value: new.target.name });
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    if (typeof value !== "object" || value === null) return false;
    if (Function.prototype[Symbol.hasInstance].call(this, value)) return true;
    const brand = (value as { [BRAND]?: unknown })[BRAND];
    // Another copy of the package: the same class has the same name there, and the base claims all of them.
    return typeof brand === "string" && (this.name === "TaskwrightError" || this.name === brand);
  }
}

/** A setting, URL, flag or argument is wrong. The message says which one and what would be right. */
export class ConfigError extends TaskwrightError {
  constructor(message: string, options?: TaskwrightErrorOptions) {
    super("config", message, options);
  }
}

/** The database's schema is missing, older or newer than this version needs. The message names the command that mends it. */
export class SchemaError extends TaskwrightError {
  constructor(message: string, options?: TaskwrightErrorOptions) {
    super("schema", message, options);
  }
}

/** The broker or backend could not be reached or refused. Retryable unless it says otherwise. */
export class BrokerError extends TaskwrightError {
  constructor(message: string, options?: TaskwrightErrorOptions) {
    super("broker", message, { retryable: true, ...options });
  }
}

/** The job was cancelled, or discarded by its handler, before it completed. */
export class CancelledError extends TaskwrightError {
  constructor(message = "the job was cancelled", options?: TaskwrightErrorOptions) {
    super("cancelled", message, options);
  }
}

/** The job's `expires` had passed when a worker came to it, so this attempt, first or retry, did not start. */
export class ExpiredError extends TaskwrightError {
  constructor(message = "the job expired before it could run", options?: TaskwrightErrorOptions) {
    super("expired", message, options);
  }
}

/** This attempt's lease passed to another worker: whatever it does from now on has no effect. */
export class LeaseLostError extends TaskwrightError {
  constructor(message = "the lease of this job was lost to another worker", options?: TaskwrightErrorOptions) {
    super("lease-lost", message, options);
  }
}

/** A driver's client library is not installed. The message holds the command that installs it. */
export class MissingDependencyError extends TaskwrightError {
  constructor(message: string, options?: TaskwrightErrorOptions) {
    super("missing-dependency", message, options);
  }
}

/** The job keeps no result, or there is no backend to keep it in. The message says what to set. */
export class NoResultError extends TaskwrightError {
  constructor(message: string, options?: TaskwrightErrorOptions) {
    super("no-result", message, options);
  }
}

/** The worker is shutting down and its grace period has passed; the job goes back to its queue uncounted. */
export class ShutdownError extends TaskwrightError {
  constructor(message = "the worker is shutting down", options?: TaskwrightErrorOptions) {
    super("shutdown", message, { retryable: true, ...options });
  }
}

/** Something took longer than its deadline: an attempt, or the wait for a result. */
export class TimeoutError extends TaskwrightError {
  constructor(message: string, options?: TaskwrightErrorOptions) {
    super("timeout", message, { retryable: true, ...options });
  }
}

/** No task of this name is registered here. */
export class UnknownTaskError extends TaskwrightError {
  constructor(message: string, options?: TaskwrightErrorOptions) {
    super("unknown-task", message, options);
  }
}

/** A message could not be decoded: corrupted, or written by a newer version. */
export class UnreadableError extends TaskwrightError {
  constructor(message: string, options?: TaskwrightErrorOptions) {
    super("unreadable", message, options);
  }
}

/** The driver cannot do this; see the driver matrix. */
export class UnsupportedError extends TaskwrightError {
  constructor(message: string, options?: TaskwrightErrorOptions) {
    super("unsupported", message, options);
  }
}

/** One thing wrong with a value, as a schema reported it. */
export interface ValidationIssue {
  readonly message: string;
  /** Where in the value, such as `"0.email"`. Empty: the value itself. */
  readonly path: string;
}

/** Arguments or a result do not fit the task's schema. */
export class ValidationError extends TaskwrightError {
  /** All that is wrong; the message names the first three. */
  readonly issues: readonly ValidationIssue[];
  constructor(message: string, issues: readonly ValidationIssue[], options?: TaskwrightErrorOptions) {
    super("validation", message, options);
    this.issues = issues;
  }
}

/**
 * A task's error as it came over the wire, where its class is not registered here (`app.errors.register`).
 * `name`, `message`, `stack` and `cause` are the original's; its own other properties are in `data`.
 */
export class RemoteError extends TaskwrightError {
  /** The original's own properties. */
  readonly data: Readonly<Record<string, unknown>>;
  constructor(
    name: string,
    message: string,
    data: Readonly<Record<string, unknown>> = {},
    options?: TaskwrightErrorOptions,
  ) {
    super("remote", message, options);
    this.name = name;
    this.data = data;
  }
}
