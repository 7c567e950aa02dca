import type { Answer, OutcomeRecord, TerminalState } from "../contracts/backend.js";
import type { ErrorRegistry } from "../job/codec/index.js";
import { UnreadableError } from "../job/errors.js";
import type { Outcome, OutcomeFields } from "../job/outcome.js";
import { parseJson } from "./body.js";
import { toError, toException, toRevoked, tracebackOf } from "./exception.js";
import { type Fields, isFields } from "./fields.js";
import { formatNaive } from "./instant.js";
import type { CeleryMessage } from "./message.js";
import { plainValue } from "./values.js";

/** Celery's states of a job that has ended, and what each is called here. */
const ENDS: Readonly<Record<string, TerminalState>> = { SUCCESS: "completed", FAILURE: "dead", REVOKED: "cancelled" };

/** A job's end in Celery's words. */
export type CeleryState = "STARTED" | "RETRY" | "SUCCESS" | "FAILURE" | "REVOKED";

/** What a result says beside itself. */
export interface ResultContext {
  readonly now: number;
  /** The message whose task it is of, where there is one. */
  readonly message?: CeleryMessage | undefined;
  /** Whether an answer to the one who asked is kept on a disk (`result_persistent`). */
  readonly persistent?: boolean;
  /** The jobs that this one has led to, as Celery's `result.as_tuple()` writes them. */
  readonly children?: readonly unknown[];
  /** `result_extended`: the task's name, arguments, queue and worker go into its result. */
  readonly extended?: { readonly queue: string; readonly worker: string } | undefined;
}

/** The record of a job that returned. Throws ConfigError where Python could not read the value. */
export function successRecord(fields: OutcomeFields, value: unknown, context: ResultContext): OutcomeRecord {
  const result = plainValue(value, "json", "result");
  return record(fields, "completed", metaBytes(fields.id, "SUCCESS", result, null, context), context);
}

/** The record of a job that failed for good, or was revoked. */
export function failureRecord(
  fields: OutcomeFields,
  state: "dead" | "cancelled",
  error: unknown,
  context: ResultContext,
): OutcomeRecord {
  const celeryState = state === "dead" ? "FAILURE" : "REVOKED";
  const traceback = state === "dead" ? tracebackOf(error) : null;
  return record(fields, state, metaBytes(fields.id, celeryState, toException(error), traceback, context), context);
}

/** The bytes of `celery-task-meta-<id>`, in the order in which Celery writes them. */
export function metaBytes(
  id: string,
  status: CeleryState,
  result: unknown,
  traceback: string | null,
  { now, message, children = [], extended }: ResultContext,
): Uint8Array {
  const meta = {
    status,
    result,
    traceback,
    children,
    date_done: status in ENDS ? formatNaive(now) : null,
    task_id: id,
    ...(message?.groupId !== undefined && { group_id: message.groupId }),
    ...(message?.parentId !== undefined && { parent_id: message.parentId }),
    ...(message !== undefined && extended !== undefined && extension(message, extended)),
  };
  return Buffer.from(JSON.stringify(meta));
}

function extension(
  message: CeleryMessage,
  { queue, worker }: { readonly queue: string; readonly worker: string },
): Fields {
  const { task: name, retries } = message;
  const args = plainValue(message.args, "json", "args");
  const kwargs = plainValue(message.kwargs, "json", "kwargs");
  return { name, args, kwargs, worker, retries, queue };
}

function record(
  { id, attempt, ttl }: OutcomeFields,
  state: TerminalState,
  body: Uint8Array,
  { message, persistent = false }: ResultContext,
): OutcomeRecord {
  const answer = message && answerOf(message, persistent);
  return { id, state, attempt, body, ...(ttl !== undefined && { ttl }), ...(answer && { answer }) };
}

/** Where the caller of a message waits, if it said so. */
export function answerOf(
  { id, replyTo, properties }: Pick<CeleryMessage, "id" | "replyTo" | "properties">,
  persistent: boolean,
): Answer | undefined {
  if (replyTo === undefined || replyTo === "") return undefined;
  const { correlation_id: correlation } = properties;
  const correlationId = typeof correlation === "string" && correlation !== "" ? correlation : id;
  return { queue: replyTo, correlationId, persistent };
}

/** Reads a kept result. Throws UnreadableError for what Celery's JSON results are not. */
export function readOutcome(kept: OutcomeRecord, errors: ErrorRegistry): Outcome {
  const meta = readMeta(kept.body);
  const { status, result, traceback } = meta;
  const { attempt } = kept;
  if (status === "SUCCESS") return { state: "completed", attempt, value: result, attempts: [] };
  if (status === "REVOKED") return { state: "cancelled", attempt, error: toRevoked(result), attempts: [] };
  return { state: "dead", attempt, error: toError(result, traceback, errors), attempts: [] };
}

/** The fields of a kept result. Throws UnreadableError. */
export function readMeta(body: Uint8Array): Fields {
  try {
    const meta = parseJson(Buffer.from(body).toString());
    if (isFields(meta) && typeof meta.status === "string") return meta;
  } catch (cause) {
    throw new UnreadableError('a Celery result is not JSON: set result_serializer = "json" in Python', { cause });
  }
  throw new UnreadableError("a Celery result has no status");
}
