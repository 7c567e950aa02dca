import type { ClaimedJob, OutgoingJob } from "../../contracts/broker.js";
import { resolveWhen } from "../../contracts/clock.js";
import { ConfigError } from "../../job/errors.js";
import { generateId } from "../../job/id.js";
import type { Message, Properties } from "./client.js";
import { headersOf, partsOf } from "./parts.js";

/** How our own headers begin. All others belong to the job's protocol, or to RabbitMQ. */
const OURS = "taskwright-";
/** Those that RabbitMQ adds: to bring them along would make it think that a message goes round in circles. */
const THEIRS = /^x-(death|first-death-|last-death-|delivery-count|acquired-count|opt-|stream-)/;
/** The longest history that travels as a header: all headers together must be in one frame, 128 KiB, and amqplib takes 64. */
const LONGEST_HEADER = 16 * 1024;
/** Of a name or id in AMQP, in bytes. */
const LONGEST_NAME = 255;

/** What is told of a job beside its body, in headers of ours. */
export interface State {
  /** Attempts counted so far. */
  readonly attempts: number;
  readonly losses: number;
  /** Epoch ms. */
  readonly expiresAt?: number | undefined;
  /** Epoch ms, where that is too far away for one delay. */
  readonly dueAt?: number | undefined;
  readonly history?: Uint8Array | undefined;
  /** Of dead letters: why, when (epoch ms), and of which queue. */
  readonly reason?: string | undefined;
  readonly diedAt?: number | undefined;
  readonly queue?: string | undefined;
}

/** A message that can be published: for which queue, and what. */
export interface Letter {
  readonly queue: string;
  readonly content: Buffer;
  readonly options: Properties & { readonly mandatory: true };
}

/** A job that was delivered, as its message says. */
export interface Delivered {
  readonly id: string;
  readonly priority: number;
  readonly body: Buffer;
  readonly headers: Readonly<Record<string, unknown>> | undefined;
  readonly state: State;
  /** Losses that RabbitMQ knows of and the headers do not say yet. */
  readonly newLosses: number;
}

/** @param now - Epoch ms. */
export function toLetter(job: OutgoingJob, now: number): Letter {
  const { queue, id, task, priority, body, headers, expires } = job;
  checkName(queue, "the name of a queue");
  checkName(id, "an id");
  const expiresAt = expires && resolveWhen(expires, now);
  const { headers: own, properties } = partsOf({ ...(headers && { headers }) });
  const ours = { messageId: id, type: task.slice(0, 80), priority, deliveryMode: 2, mandatory: true } as const;
  const options = { ...properties, ...ours };
  const all = expiresAt === undefined ? own : { ...own, [`${OURS}expires`]: expiresAt };
  return { queue, content: toBuffer(body), options: all === undefined ? options : { ...options, headers: all } };
}

/**
 * The same message again, with another state: for its queue, or for the one of its dead letters. Without what RabbitMQ would act
 * on: it drops a dead letter, and ends a delay, at the `expiration` of who sent the message, and refuses the `userId` of others.
 */
export function again(queue: string, theirs: Properties, delivered: Delivered, state: State): Letter {
  const { expiration: _, userId: __, ...properties } = theirs;
  const { history } = state;
  const apart = history !== undefined && history.length > LONGEST_HEADER;
  const parts = partsOf({ ...(delivered.headers && { headers: delivered.headers }) });
  const headers: Record<string, unknown> = { ...parts.headers };
  const add = (name: string, value: unknown): void => {
    if (value !== undefined && value !== 0) headers[OURS + name] = value;
  };
  add("attempts", state.attempts);
  add("losses", state.losses);
  add("expires", state.expiresAt);
  add("due", state.dueAt);
  add("reason", state.reason);
  add("died", state.diedAt);
  add("queue", state.queue);
  add(apart ? "history-bytes" : "history", apart ? history.length : history && toBuffer(history));
  const content = apart ? Buffer.concat([delivered.body, history]) : delivered.body;
  return {
    queue,
    content,
    options: { ...properties, ...parts.properties, messageId: delivered.id, headers, deliveryMode: 2, mandatory: true },
  };
}

/** Reads a message of whoever wrote it. What is missing or of another type is taken for absent. */
export function readMessage({ content, properties, fields }: Message): Delivered {
  const all = properties.headers ?? {};
  const headers: Record<string, unknown> = {};
  for (const key of Object.keys(all)) if (!key.startsWith(OURS) && !THEIRS.test(key)) headers[key] = all[key];
  const { body, history } = takeApart(content, all);
  const losses = fields.redelivered ? Math.max(1, numberIn(all, "x-delivery-count") ?? 0) : 0;
  return {
    id: textOf(properties.messageId) ?? textOf(properties.correlationId) ?? textOf(all.id) ?? generateId(Date.now()),
    priority: priorityOf(properties.priority),
    body,
    headers: headersOf(headers, properties),
    state: {
      attempts: numberIn(all, `${OURS}attempts`) ?? 0,
      losses: numberIn(all, `${OURS}losses`) ?? 0,
      expiresAt: numberIn(all, `${OURS}expires`),
      dueAt: numberIn(all, `${OURS}due`),
      history,
      reason: textOf(all[`${OURS}reason`]),
      diedAt: numberIn(all, `${OURS}died`),
      queue: textOf(all[`${OURS}queue`]),
    },
    newLosses: losses,
  };
}

/** @param now - Epoch ms. */
export function toClaimed(delivered: Delivered, queue: string, token: number, now: number): ClaimedJob {
  const { id, priority, body, headers, state, newLosses } = delivered;
  return {
    id,
    queue,
    priority,
    body,
    token,
    attempt: state.attempts + newLosses + 1,
    losses: state.losses + newLosses,
    expired: state.expiresAt !== undefined && state.expiresAt <= now,
    ...(headers !== undefined && { headers }),
    ...(state.history !== undefined && { history: state.history }),
  };
}

/** @throws ConfigError for a name that AMQP does not take. */
function checkName(name: string, what: string): void {
  if (name.length * 3 <= LONGEST_NAME || Buffer.byteLength(name) <= LONGEST_NAME) return;
  throw new ConfigError(`${what} has at most ${LONGEST_NAME} bytes in rabbitmq: "${name.slice(0, 40)}…" is longer`);
}

function takeApart(content: Buffer, headers: Readonly<Record<string, unknown>>): { body: Buffer; history?: Buffer } {
  const history = headers[`${OURS}history`];
  if (Buffer.isBuffer(history)) return { body: content, history };
  const bytes = numberIn(headers, `${OURS}history-bytes`);
  if (bytes === undefined || bytes <= 0 || bytes > content.length) return { body: content };
  const at = content.length - bytes;
  return { body: content.subarray(0, at), history: content.subarray(at) };
}

/** Others may use up to 255. */
function priorityOf(value: unknown): number {
  return typeof value === "number" && value > 0 ? Math.min(9, Math.floor(value)) : 0;
}

function numberIn(headers: Readonly<Record<string, unknown>>, name: string): number | undefined {
  const value = headers[name];
  return typeof value === "number" && Number.isFinite(value) ? value : undefined;
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

function toBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
