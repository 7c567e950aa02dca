import type { OutcomeRecord, TerminalState } from "../contracts/index.js";
import { type Codec, decodeError, type ErrorRegistry, encodeError } from "./codec/index.js";
import { UnreadableError } from "./errors.js";
import { type AttemptRecord, type HistoryEntry, toAttempts, toEntries } from "./history.js";

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

/** The record of a job that ended with an error, with what led to it. */
export function failedOutcome(
  fields: OutcomeFields,
  state: "dead" | "cancelled",
  error: unknown,
  history: readonly HistoryEntry[],
  codec: Codec,
): OutcomeRecord {
  return record(fields, state, codec.encode([VERSION, encodeError(error), history]));
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
