import type { OutcomeRecord, TerminalState } from "../contracts/index.js";
import { type Codec, decodeError, type ErrorRegistry, encodeError } from "./codec/index.js";
import { UnreadableError } from "./errors.js";
import { type AttemptRecord, encodeNewest, type HistoryEntry, toAttempts, toEntries } from "./history.js";
import { shortenError } from "./shorten.js";

/** How a job ended. */
export type Outcome<R = unknown> = { readonly attempt: number; readonly attempts: readonly AttemptRecord[] } & (
  | { readonly state: "completed"; readonly value: R }
  | { readonly state: "dead" | "cancelled"; readonly error: Error }
);

/** An outcome body is `[version, value]` for a completed job and `[version, error, history]` for the others. */
const VERSION = 1;

/** What an outcome says beside its body. */
export interface OutcomeFields {
  readonly id: string;
  readonly attempt: number;
  /** Milliseconds; undefined: until forgotten. */
  readonly ttl: number | undefined;
}

/** The record of a job that returned `value`. Throws ConfigError where the value cannot be sent. */
export function completedOutcome(fields: OutcomeFields, value: unknown, codec: Codec): OutcomeRecord {
  return record(fields, "completed", codec.encode([VERSION, value], ["version", "result"]));
}

/**
 * The record of a job that ended with an error, with what led to it.
 *
 * @param maxBytes - What the backend takes. What does not fit is shortened: first the error, then the history.
 */
export function failedOutcome(
  fields: OutcomeFields,
  state: "dead" | "cancelled",
  error: unknown,
  history: readonly HistoryEntry[],
  codec: Codec,
  maxBytes = Number.POSITIVE_INFINITY,
): OutcomeRecord {
  const data = encodeError(error);
  const body = codec.encode([VERSION, data, history]);
  if (body.length <= maxBytes) return record(fields, state, body);
  const shortened = shortenError(data, maxBytes / 4, codec);
  const fitting = encodeNewest(history, 0, maxBytes, (kept) => codec.encode([VERSION, shortened, kept]));
  return record(fields, state, fitting);
}

function record(fields: OutcomeFields, state: TerminalState, body: Uint8Array): OutcomeRecord {
  const { id, attempt, ttl } = fields;
  return ttl === undefined ? { id, state, attempt, body } : { id, state, attempt, body, ttl };
}

/**
 * Reads a kept outcome.
 *
 * @throws UnreadableError when it is corrupted or written by a newer version.
 */
export function decodeOutcome(kept: OutcomeRecord, codec: Codec, errors: ErrorRegistry): Outcome {
  const fields = codec.decode(kept.body);
  if (!Array.isArray(fields) || fields[0] !== VERSION) {
    throw new UnreadableError(`the outcome of job ${kept.id} was written by another version of taskwright`);
  }
  const [, content, history] = fields as unknown[];
  if (kept.state === "completed") return { state: "completed", attempt: kept.attempt, value: content, attempts: [] };
  return {
    state: kept.state,
    attempt: kept.attempt,
    error: decodeError(content, errors),
    attempts: toAttempts(toEntries(history), errors),
  };
}
