import { type Codec, decodeError, type ErrorData, type ErrorRegistry, encodeError } from "./codec/index.js";
import { UnreadableError } from "./errors.js";
import { shortenError } from "./shorten.js";

/** An attempt that did not complete the job, as `job.attempts()` tells it. */
export interface AttemptRecord {
  /** 1-based. */
  readonly attempt: number;
  readonly startedAt: Date;
  readonly endedAt: Date;
  /** The worker that ran it. */
  readonly worker: string;
  /** Why it ended. */
  readonly error: Error;
}

/** An attempt as it is kept: `[attempt, startedAt, endedAt, worker, error]`. */
export type HistoryEntry = readonly [number, number, number, string, ErrorData];

/** Older attempts are dropped beyond this many, so that a job that retries for ever stays small. */
const MOST_ENTRIES = 20;

export function historyEntry(
  attempt: number,
  startedAt: number,
  endedAt: number,
  worker: string,
  error: unknown,
): HistoryEntry {
  return [attempt, startedAt, endedAt, worker, encodeError(error)];
}

/**
 * Adds an entry to what earlier attempts left. An unreadable past is dropped rather than failing the present.
 *
 * @param maxBytes - What the broker takes. A history fills at most half of it, and one error a quarter, so that an outcome
 * has room for both: the error is shortened, then the oldest attempts go.
 */
export function appendHistory(
  past: Uint8Array | undefined,
  entry: HistoryEntry,
  codec: Codec,
  maxBytes = Number.POSITIVE_INFINITY,
): Uint8Array {
  const entries = [...readEntries(past, codec), entry].slice(-MOST_ENTRIES);
  const history = codec.encode(entries);
  if (history.length <= maxBytes / 4) return history;
  const [attempt, startedAt, endedAt, worker, error] = entry;
  const shortened = shortenError(error, maxBytes / 4, codec);
  const all = [...entries.slice(0, -1), [attempt, startedAt, endedAt, worker, shortened] as const];
  return encodeNewest(all, 1, maxBytes / 2, (kept) => codec.encode([...kept]));
}

/**
 * Encodes the newest entries that fit.
 *
 * @param least - How many there must be, whether or not they fit.
 */
export function encodeNewest(
  entries: readonly HistoryEntry[],
  least: number,
  most: number,
  encode: (kept: readonly HistoryEntry[]) => Uint8Array,
): Uint8Array {
  for (let from = 0; ; from++) {
    const encoded = encode(entries.slice(from));
    if (encoded.length <= most || entries.length - from <= least) return encoded;
  }
}

/** Reads what earlier attempts left, or nothing where it is unreadable. */
export function readEntries(history: Uint8Array | undefined, codec: Codec): HistoryEntry[] {
  if (history === undefined) return [];
  try {
    return toEntries(codec.decode(history));
  } catch (error) {
    if (error instanceof UnreadableError) return [];
    throw error;
  }
}

/** The well-formed entries of a decoded history. */
export function toEntries(value: unknown): HistoryEntry[] {
  return Array.isArray(value) ? value.filter(isEntry) : [];
}

export function toAttempts(entries: readonly HistoryEntry[], errors: ErrorRegistry): AttemptRecord[] {
  return entries.map(([attempt, startedAt, endedAt, worker, error]) => ({
    attempt,
    startedAt: new Date(startedAt),
    endedAt: new Date(endedAt),
    worker,
    error: decodeError(error, errors),
  }));
}

function isEntry(value: unknown): value is HistoryEntry {
  if (!Array.isArray(value)) return false;
  const [attempt, startedAt, endedAt, worker, error] = value as unknown[];
  const times = typeof attempt === "number" && typeof startedAt === "number" && typeof endedAt === "number";
  return times && typeof worker === "string" && typeof error === "object" && error !== null;
}
