import type { Duration } from "./duration.js";

const BRAND = Symbol.for("taskwright.decision");

/**
 * What a handler decides about its own attempt, thrown like an error. Decisions are not failures: they carry no stack
 * worth logging, and `instanceof` holds across copies of the package.
 */
abstract class Decision extends Error {
  constructor(kind: string, message: string) {
    super(message);
    this.name = kind;
    Object.defineProperty(this, BRAND, { value: kind });
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    if (typeof value !== "object" || value === null) return false;
    return (value as { [BRAND]?: unknown })[BRAND] === this.name;
  }
}

/**
 * Fails this attempt and asks for another one. Once the job's attempts are used up, it goes to the dead letters like any
 * other failure.
 *
 * @param options.delay - When to run again; default: the task's backoff.
 * @param options.cause - The error behind it, kept in the job's history.
 *
 * @example
 * import { Retry } from "taskwright";
 * throw new Retry({ delay: "30s" });
 */
export class Retry extends Decision {
  readonly delay: Duration | undefined;
  constructor(options: { readonly delay?: Duration; readonly cause?: unknown; readonly message?: string } = {}) {
    super("Retry", options.message ?? "the task asked to be retried");
    this.delay = options.delay;
    if (options.cause !== undefined) this.cause = options.cause;
  }
}

/**
 * Puts the job back for later without consuming an attempt: what it waits for is not there yet.
 *
 * @param delay - When to look again.
 *
 * @example
 * import { Snooze } from "taskwright";
 * throw new Snooze("5m");
 */
export class Snooze extends Decision {
  readonly delay: Duration;
  constructor(delay: Duration) {
    super("Snooze", "the task asked to be run later");
    this.delay = delay;
  }
}

/**
 * Ends the job with no further attempt and no dead letter: it is no longer wanted. Its state becomes `cancelled`.
 *
 * @example
 * import { Discard } from "taskwright";
 * throw new Discard("the account was closed");
 */
export class Discard extends Decision {
  constructor(reason = "discarded by its handler") {
    super("Discard", reason);
  }
}

/**
 * Sends the job to the dead letters at once, whatever attempts are left.
 *
 * @example
 * import { DeadLetter } from "taskwright";
 * throw new DeadLetter("no such invoice");
 */
export class DeadLetter extends Decision {
  constructor(reason = "rejected by its handler", options: { readonly cause?: unknown } = {}) {
    super("DeadLetter", reason);
    if (options.cause !== undefined) this.cause = options.cause;
  }
}
