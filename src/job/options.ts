import { unknownKey } from "../config/nearest.js";
import type { Driver, When } from "../contracts/index.js";
import { type Backoff, validateBackoff } from "./backoff.js";
import { type Duration, parseDuration } from "./duration.js";
import { ConfigError } from "./errors.js";

/** What a label may hold. */
export type LabelValue = string | number | boolean | null;

/** Free metadata that travels with a job. */
export type Labels = Readonly<Record<string, LabelValue>>;

/** `"at-least-once"` settles after the run, `"at-most-once"` before it: a crash then loses the run instead of repeating it. */
export type Delivery = "at-least-once" | "at-most-once";

/** Whether and for how long a job's outcome is kept. */
export interface ResultOptions {
  /** Keep what the task returns. How a job failed is kept either way. Default `true`. */
  readonly keep?: boolean;
  /** For how long the outcome, progress and log are kept. Default one day. */
  readonly ttl?: Duration;
}

/** How a job runs. Given to a task for all its jobs, or to `with` for one. */
export interface ExecutionOptions {
  /** Default `"default"`. */
  readonly queue?: string;
  /** 0..9, higher first. Default 0. */
  readonly priority?: number;
  /** From this long after `enqueue`, or from this moment on, no attempt starts, retries included: the job ends as cancelled. Default: never. */
  readonly expires?: Duration | Date;
  /** Total runs, the first included. Default 3. */
  readonly attempts?: number;
  /** The pause before each retry. Default: exponential from one second to five minutes, with 20 % jitter. */
  readonly backoff?: Backoff;
  /** The longest an attempt may take before its signal aborts and it fails. Default: none. */
  readonly timeout?: Duration;
  /** Metadata that travels with the job; those of a call are laid over the task's. Default: none. */
  readonly labels?: Labels;
  /** Whether and for how long the outcome is kept. Default: for a day. */
  readonly result?: ResultOptions;
  /** Default `"at-least-once"`. */
  readonly delivery?: Delivery;
  /**
   * Runs on every worker that lives now and serves the queue, at most once on each: no lease, no retry, no result. Needs a
   * driver that can, and goes with no option that promises more. Default `false`.
   */
  readonly broadcast?: boolean;
}

/**
 * Options of one job, for `task.with({...})`.
 *
 * @example
 * await sendMail.with({ delay: "1m", priority: 7, labels: { tenant: "a" } }).enqueue("a@example.com", "Hello");
 */
export interface JobOptions extends ExecutionOptions {
  /** Run no sooner than this long from now. */
  readonly delay?: Duration;
  /** Run no sooner than this moment. */
  readonly at?: Date;
  /** Makes the job idempotent: while a job with this id exists, enqueueing it again answers with that one. 1..255 characters. */
  readonly id?: string;
  /** Keyword arguments, for tasks in Python; a TypeScript handler receives them as one last object. */
  readonly kwargs?: Readonly<Record<string, unknown>>;
  /** Another broker than the app's, as a URL or a driver. */
  readonly broker?: string | Driver;
  /** Another backend than the app's, as a URL or a driver. */
  readonly backend?: string | Driver;
  /** Another protocol than the app's: `"celery"` for a task of Python's Celery. */
  readonly protocol?: "taskwright" | "celery";
  /** The user's open transaction to enqueue in; see the driver for what it takes. */
  readonly tx?: object;
}

/** Execution options after validation: durations in ms. What is absent falls to the next layer. */
export interface ResolvedOptions {
  readonly queue?: string;
  readonly priority?: number;
  readonly notBefore?: When;
  readonly expires?: When;
  readonly attempts?: number;
  readonly backoff?: Backoff;
  readonly timeout?: number;
  readonly id?: string;
  readonly labels?: Labels;
  readonly kwargs?: Readonly<Record<string, unknown>>;
  readonly broker?: string | Driver;
  readonly backend?: string | Driver;
  readonly protocol?: "taskwright" | "celery";
  readonly result?: { readonly keep?: boolean; readonly ttl?: number };
  readonly delivery?: Delivery;
  readonly broadcast?: boolean;
  readonly tx?: object;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type Draft = Mutable<ResolvedOptions>;
type Reader = (value: unknown, name: string, into: Draft) => void;

const READERS: Record<keyof JobOptions, Reader> = {
  queue: (value, name, into) => {
    into.queue = nonEmpty(value, name);
  },
  priority: (value, name, into) => {
    into.priority = integer(value, name, 0, 9);
  },
  attempts: (value, name, into) => {
    into.attempts = integer(value, name, 1, 1_000_000);
  },
  delay: (value, name, into) => {
    into.notBefore = { in: duration(value, name) };
  },
  at: (value, name, into) => {
    into.notBefore = { at: instant(value, name) };
  },
  expires: (value, name, into) => {
    into.expires = value instanceof Date ? { at: instant(value, name) } : { in: duration(value, name) };
  },
  backoff: (value, name, into) => {
    into.backoff = validateBackoff(value, name);
  },
  timeout: (value, name, into) => {
    into.timeout = positive(duration(value, name), name);
  },
  id: (value, name, into) => {
    into.id = nonEmpty(value, name);
    if (into.id.length > 255) throw new ConfigError(`${name} has ${into.id.length} characters; at most 255 fit`);
  },
  labels: (value, name, into) => {
    into.labels = { ...into.labels, ...labels(value, name) };
  },
  kwargs: (value, name, into) => {
    into.kwargs = record(value, name);
  },
  result: (value, name, into) => {
    into.result = { ...into.result, ...result(value, name) };
  },
  delivery: (value, name, into) => {
    if (value !== "at-least-once" && value !== "at-most-once") {
      throw new ConfigError(`${name} must be "at-least-once" or "at-most-once", not ${show(value)}`);
    }
    into.delivery = value;
  },
  broadcast: (value, name, into) => {
    if (typeof value !== "boolean") throw new ConfigError(`${name} must be true or false, not ${show(value)}`);
    into.broadcast = value;
  },
  broker: (value, name, into) => {
    into.broker = place(value, name);
  },
  backend: (value, name, into) => {
    into.backend = place(value, name);
  },
  protocol: (value, name, into) => {
    if (value !== "taskwright" && value !== "celery") {
      throw new ConfigError(`${name} must be "taskwright" or "celery", not ${show(value)}`);
    }
    into.protocol = value;
  },
  tx: (value, name, into) => {
    into.tx = object(value, name);
  },
};

/**
 * Validates options and lays them over `base`: later wins, labels and `result` merge.
 *
 * @param where - Names the options in errors, such as `task "add"`.
 * @throws ConfigError for a wrong value or an unknown name, with the nearest right one.
 */
export function resolveOptions(options: JobOptions, where: string, base: ResolvedOptions = {}): ResolvedOptions {
  const resolved: Draft = { ...base };
  for (const [key, value] of Object.entries(options)) {
    if (value === undefined) continue;
    const read = READERS[key as keyof JobOptions];
    if (!Object.hasOwn(READERS, key)) throw new ConfigError(unknownKey("option", key, Object.keys(READERS), where));
    read(value, `${key} of ${where}`, resolved);
  }
  return resolved;
}

function show(value: unknown): string {
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}

function nonEmpty(value: unknown, name: string): string {
  if (typeof value === "string" && value !== "") return value;
  throw new ConfigError(`${name} must be a non-empty string, not ${show(value)}`);
}

function integer(value: unknown, name: string, min: number, max: number): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= min && value <= max) return value;
  throw new ConfigError(`${name} must be a whole number from ${min} to ${max}, not ${show(value)}`);
}

function duration(value: unknown, name: string): number {
  if (typeof value === "number" || typeof value === "string") return parseDuration(value as Duration, name);
  throw new ConfigError(`${name} must be a duration such as 500 (ms), "10s" or "5m", not ${show(value)}`);
}

function positive(value: number, name: string): number {
  if (value > 0) return value;
  throw new ConfigError(`${name} must be longer than 0`);
}

function instant(value: unknown, name: string): number {
  if (value instanceof Date && !Number.isNaN(value.getTime())) return value.getTime();
  throw new ConfigError(`${name} must be a valid Date, not ${show(value)}`);
}

function object(value: unknown, name: string): object {
  if (typeof value === "object" && value !== null) return value;
  throw new ConfigError(`${name} must be an object, not ${show(value)}`);
}

function record(value: unknown, name: string): Record<string, unknown> {
  return { ...object(value, name) };
}

function labels(value: unknown, name: string): Labels {
  const found: Record<string, LabelValue> = {};
  for (const [key, label] of Object.entries(object(value, name))) {
    if (label !== null && !["string", "number", "boolean"].includes(typeof label)) {
      throw new ConfigError(`label "${key}" in ${name} must be a string, number, boolean or null, not ${show(label)}`);
    }
    found[key] = label as LabelValue;
  }
  return found;
}

function result(value: unknown, name: string): { keep?: boolean; ttl?: number } {
  const found: { keep?: boolean; ttl?: number } = {};
  for (const [key, given] of Object.entries(object(value, name))) {
    if (key === "ttl") found.ttl = positive(duration(given, `ttl in ${name}`), `ttl in ${name}`);
    else if (key === "keep" && typeof given === "boolean") found.keep = given;
    else if (key === "keep") throw new ConfigError(`keep in ${name} must be true or false, not ${show(given)}`);
    else throw new ConfigError(unknownKey("option", key, ["keep", "ttl"], name));
  }
  return found;
}

function place(value: unknown, name: string): string | Driver {
  if (typeof value === "string" && value !== "") return value;
  if (typeof value === "object" && value !== null && "connect" in value) return value as Driver;
  throw new ConfigError(`${name} must be a URL such as "sqlite:./jobs.db", or a driver, not ${show(value)}`);
}
