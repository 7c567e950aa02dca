import type { OutcomeRecord } from "../contracts/backend.js";
import { RemoteError } from "../job/errors.js";
import { Applier, type From, type ResultTuple, type Sending } from "./canvas.js";
import { celeryException, toException } from "./exception.js";
import type { Fields } from "./fields.js";
import { optionalText } from "./fields.js";
import type { CeleryMessage } from "./message.js";
import { answerOf, failureRecord } from "./result.js";
import { type Canvas, canvasIn, readCanvases } from "./signature.js";
import { plainValue } from "./values.js";

/** What one job leaves in the group whose chord waits for it. */
export interface Part {
  readonly group: string;
  readonly index: number | undefined;
  /** `[1, id, state, result]` in JSON, as Celery's Redis backend keeps it. */
  readonly bytes: Uint8Array;
  /** The chord's body. */
  readonly body: Canvas;
}

/** All that the end of a job leads to, before the job itself is settled. */
export interface Following {
  readonly sending: Sending;
  /** Outcomes of jobs that will never run. */
  readonly outcomes: readonly OutcomeRecord[];
  readonly parts: readonly Part[];
  /** What was sent, for the `children` of the job's own result. */
  readonly children: readonly ResultTuple[];
}

/** What follows a job that returned: its callbacks, the next step of its chain, its part of a chord. */
export function afterSuccess(message: CeleryMessage, value: unknown, from: From): Following | undefined {
  const { callbacks, chain, chord } = message;
  const own = canvasIn(message.task, message.kwargs);
  if (callbacks.length === 0 && chain.length === 0 && chord === undefined && own === undefined) return undefined;
  const applier = new Applier(from);
  const children = callbacks.map((callback, at) => applier.apply(callback, [value], {}, `link.${at}`));
  if (own !== undefined) children.push(applier.apply(own.canvas, own.args, {}, "own"));
  const rest = [...chain];
  const next = rest.pop();
  if (next !== undefined) {
    const wires = rest.map(({ signature }) => signature);
    children.push(applier.apply(next, [value], { chain: wires }, `chain.${rest.length}`));
  }
  const parts = partOf(message, "SUCCESS", plainValue(value, "json", "result"));
  return { sending: applier.sending, outcomes: [], parts, children };
}

/** What follows a job that failed for good: its errbacks; the rest of its chain fails with it, and so does a chord. */
export function afterFailure(
  message: CeleryMessage,
  error: unknown,
  from: From,
  ttl: number | undefined,
): Following | undefined {
  const { errbacks, chain, chord } = message;
  if (errbacks.length === 0 && chain.length === 0 && chord === undefined) return undefined;
  const sending = sendErrbacks(errbacks, message.id, from);
  const exception = toException(error);
  const lost = chain.flatMap(tasksOf);
  const outcomes = lost.flatMap(({ options }) => failedOutcome(options, error, from.now, ttl));
  const parts = [
    ...partOf(message, "FAILURE", exception),
    ...lost.flatMap(({ options }) => partOfOptions(options, exception)),
  ];
  return { sending, outcomes, parts, children: [] };
}

/** A job that was revoked has no errbacks called, as in Celery; a chord that waits for it fails. */
export function afterRevocation(message: CeleryMessage, error: unknown, from: From): Following | undefined {
  if (message.chord === undefined) return undefined;
  const sending = new Applier(from).sending;
  return { sending, outcomes: [], parts: partOf(message, "REVOKED", toException(error)), children: [] };
}

/** What follows when the last part of a chord is there: its body with all results, or its failure with that of a part. */
export function afterJoin(body: Canvas, parts: readonly Uint8Array[], from: From, ttl: number | undefined): Following {
  const failed = parts.map(readPart).find(([, , state]) => state === "FAILURE" || state === "REVOKED");
  if (failed === undefined) {
    const applier = new Applier(from);
    const results = parts.map((part) => readPart(part)[3]);
    const children = [applier.apply(body, [results], {}, "body")];
    return { sending: applier.sending, outcomes: [], parts: [], children };
  }
  const [, id, , result] = failed;
  return chordFailure(body, `Dependency ${String(id)} raised ${reprOf(result)}`, from, ttl);
}

/** The body of a chord fails as Celery's does: with a ChordError, and its errbacks called. */
function chordFailure(body: Canvas, message: string, from: From, ttl: number | undefined): Following {
  const tasks = tasksOf(body);
  const ids = tasks.flatMap(({ options }) => optionalText(options, "task_id") ?? []);
  const last = ids.at(-1) ?? from.id;
  const errbacks = readCanvases(body.signature.options.link_error, "link_error");
  const error = new RemoteError("ChordError", message, { module: "celery.exceptions" });
  const outcomes = tasks.flatMap(({ options }) => failedOutcome(options, error, from.now, ttl));
  const parts = tasks.flatMap(({ options }) => partOfOptions(options, celeryException("ChordError", message)));
  return { sending: sendErrbacks(errbacks, last, from), outcomes, parts, children: [] };
}

/** An errback gets the id of the job that failed, as those of other workers do in Celery. */
function sendErrbacks(errbacks: readonly Canvas[], id: string, from: From): Sending {
  const applier = new Applier(from);
  for (const [at, errback] of errbacks.entries()) applier.apply(errback, [id], {}, `link_error.${at}`);
  return applier.sending;
}

/** The tasks of a signature that have an id of their own and will never run; of a chord, its body. */
function tasksOf(canvas: Canvas): { readonly options: Fields }[] {
  if (canvas.kind === "chain") return canvas.steps.flatMap(tasksOf);
  if (canvas.kind === "group") return canvas.members.flatMap(tasksOf);
  if (canvas.kind === "chord") return tasksOf(canvas.body);
  return [canvas.signature];
}

function failedOutcome(options: Fields, error: unknown, now: number, ttl: number | undefined): OutcomeRecord[] {
  const id = optionalText(options, "task_id");
  if (id === undefined) return [];
  const answer = answerOf({ id, replyTo: optionalText(options, "reply_to"), properties: {} }, false);
  return [{ ...failureRecord({ id, attempt: 1, ttl }, "dead", error, { now }), ...(answer && { answer }) }];
}

function partOf(message: CeleryMessage, state: string, result: unknown): Part[] {
  const { id, groupId, groupIndex, chord } = message;
  if (chord === undefined || groupId === undefined) return [];
  return [{ group: groupId, index: groupIndex, bytes: partBytes(id, state, result), body: chord }];
}

function partOfOptions(options: Fields, exception: unknown): Part[] {
  const id = optionalText(options, "task_id");
  const group = optionalText(options, "group_id");
  const [body] = readCanvases(options.chord, "chord");
  if (id === undefined || group === undefined || body === undefined) return [];
  const index = typeof options.group_index === "number" ? options.group_index : undefined;
  return [{ group, index, bytes: partBytes(id, "FAILURE", exception), body }];
}

/** A part as Celery keeps it. */
export function partBytes(id: string, state: string, result: unknown): Uint8Array {
  return Buffer.from(JSON.stringify([1, id, state, result]));
}

function readPart(bytes: Uint8Array): readonly unknown[] {
  try {
    const part: unknown = JSON.parse(Buffer.from(bytes).toString());
    if (Array.isArray(part) && part.length === 4) return part;
  } catch {
    // Falls through: another backend's serializer.
  }
  return [1, "?", "FAILURE", celeryException("ChordError", "a result of the group is not JSON")];
}

function reprOf(result: unknown): string {
  const { exc_type, exc_message }: Fields = typeof result === "object" && result !== null ? { ...result } : {};
  const args = Array.isArray(exc_message) ? exc_message.map((one) => JSON.stringify(one)).join(", ") : "";
  return `${String(exc_type ?? "Exception")}(${args})`;
}
