import type { OutgoingJob, When } from "../contracts/index.js";
import { type Backoff, validateBackoff } from "./backoff.js";
import type { Codec } from "./codec/index.js";
import { UnreadableError } from "./errors.js";
import { isRecord } from "./is-record.js";
import type { Delivery, Labels, LabelValue } from "./options.js";

/** What a call chose for its own run; it overrides the task's options in the worker. */
export interface MessageOptions {
  kwargs?: Readonly<Record<string, unknown>>;
  labels?: Labels;
  parentId?: string;
  rootId?: string;
  attempts?: number;
  backoff?: Backoff;
  timeout?: number;
  delivery?: Delivery;
  result?: { readonly keep?: boolean; readonly ttl?: number };
}

/** A job as its task sees it: who is called with what, and how. */
export interface JobMessage {
  readonly task: string;
  readonly args: readonly unknown[];
  /** Epoch ms on the producer's clock. */
  readonly enqueuedAt: number;
  readonly options: Readonly<MessageOptions>;
  /** Where its protocol counts attempts in the message: those before it was published. */
  readonly earlier?: number;
  /** Epoch ms before which it must not run, where the message says so and not the broker. */
  readonly notBefore?: number;
  /** Epoch ms from which it must not run, where the message says so and not the broker. */
  readonly expiresAt?: number;
}

/**
 * A message on its way out. Middleware may change all of it but `id`.
 *
 * @example
 * app.use({ preSend: (job) => { job.labels = { ...job.labels, host: os.hostname() }; } });
 */
export interface OutgoingMessage extends MessageOptions {
  readonly id: string;
  /** Whether the caller chose the id. */
  readonly unique: boolean;
  /** Whether it goes to every worker, at most once each, rather than to one. */
  readonly broadcast: boolean;
  task: string;
  queue: string;
  priority: number;
  args: readonly unknown[];
  readonly enqueuedAt: number;
  notBefore?: When;
  expires?: When;
}

/**
 * Version of the native protocol. A body is `[version, task, args, enqueuedAt, options?]` in MessagePack or JSON; id,
 * queue and priority travel in the broker's own fields. Readers park what has a higher version.
 */
const VERSION = 1;

const FIELD_NAMES = ["version", "task", "args", "enqueuedAt", "options"];

/** Encodes a message for its broker. Throws ConfigError where an argument cannot be sent. */
export function encodeMessage(message: OutgoingMessage, codec: Codec): OutgoingJob {
  const options = presentOptions(message);
  const fields = [VERSION, message.task, message.args, message.enqueuedAt];
  const job: { -readonly [K in keyof OutgoingJob]: OutgoingJob[K] } = {
    id: message.id,
    queue: message.queue,
    priority: message.priority,
    task: message.task,
    body: codec.encode(options === undefined ? fields : [...fields, options], FIELD_NAMES),
  };
  if (message.unique) job.unique = true;
  if (message.notBefore !== undefined) job.notBefore = message.notBefore;
  if (message.expires !== undefined) job.expires = message.expires;
  return job;
}

function presentOptions(message: MessageOptions): MessageOptions | undefined {
  const { kwargs, labels, parentId, rootId, attempts, backoff, timeout, delivery, result } = message;
  // Most jobs choose nothing, and then carry nothing.
  const own = kwargs ?? labels ?? parentId ?? attempts ?? backoff ?? timeout ?? delivery ?? result;
  if (own === undefined) return undefined;
  const all = { kwargs, labels, parentId, rootId, attempts, backoff, timeout, delivery, result };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

/**
 * Reads a body. Nothing in it is trusted: each field is checked.
 *
 * @throws UnreadableError when it is corrupted, foreign, or written by a newer version.
 */
export function decodeMessage(body: Uint8Array, codec: Codec): JobMessage {
  const fields = codec.decode(body);
  if (!Array.isArray(fields)) throw new UnreadableError("the message is not an array");
  // By index: taking an array apart goes through its iterator.
  const version: unknown = fields[0];
  const task: unknown = fields[1];
  const args: unknown = fields[2];
  const enqueuedAt: unknown = fields[3];
  const options: unknown = fields[4];
  if (version !== VERSION) throw new UnreadableError(versionProblem(version));
  if (typeof task !== "string" || task === "") throw new UnreadableError("the message names no task");
  if (!Array.isArray(args)) throw new UnreadableError("the message has no arguments");
  if (typeof enqueuedAt !== "number") throw new UnreadableError("the message does not say when it was enqueued");
  return { task, args, enqueuedAt, options: options === undefined ? NO_OPTIONS : readOptions(options) };
}

const NO_OPTIONS: MessageOptions = Object.freeze({});

function versionProblem(version: unknown): string {
  if (typeof version === "number" && version > VERSION) {
    return `the message was written by a newer taskwright (message version ${version}, this one reads ${VERSION}): upgrade this worker, then retry the dead letter`;
  }
  return "the message is not one of taskwright's";
}

function readOptions(value: unknown): MessageOptions {
  if (!isRecord(value)) throw new UnreadableError("the message's options are not an object");
  const options: MessageOptions = {};
  if (value.kwargs !== undefined) options.kwargs = check(isRecord, value.kwargs, "kwargs");
  if (value.labels !== undefined) options.labels = check(isLabels, value.labels, "labels");
  if (value.parentId !== undefined) options.parentId = check(isString, value.parentId, "parentId");
  if (value.rootId !== undefined) options.rootId = check(isString, value.rootId, "rootId");
  if (value.attempts !== undefined) options.attempts = check(isCount, value.attempts, "attempts");
  if (value.timeout !== undefined) options.timeout = check(isCount, value.timeout, "timeout");
  if (value.delivery !== undefined) options.delivery = check(isDelivery, value.delivery, "delivery");
  if (value.result !== undefined) options.result = check(isResult, value.result, "result");
  if (value.backoff !== undefined) options.backoff = readBackoff(value.backoff);
  return options;
}

function readBackoff(value: unknown): Backoff {
  try {
    return validateBackoff(value, "backoff");
  } catch (cause) {
    throw new UnreadableError("the message's backoff is malformed", { cause });
  }
}

function check<T>(is: (value: unknown) => value is T, value: unknown, name: string): T {
  if (is(value)) return value;
  throw new UnreadableError(`the message's ${name} is malformed`);
}

function isString(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value > 0;
}

function isDelivery(value: unknown): value is Delivery {
  return value === "at-least-once" || value === "at-most-once";
}

function isLabels(value: unknown): value is Labels {
  return isRecord(value) && Object.values(value).every(isLabelValue);
}

function isLabelValue(value: unknown): value is LabelValue {
  return value === null || typeof value === "string" || typeof value === "number" || typeof value === "boolean";
}

function isResult(value: unknown): value is { keep?: boolean; ttl?: number } {
  if (!isRecord(value)) return false;
  const { keep, ttl } = value;
  return (keep === undefined || typeof keep === "boolean") && (ttl === undefined || isCount(ttl));
}
