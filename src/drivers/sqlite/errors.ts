import { BrokerError, ConfigError, type OperationOutcome, TaskwrightError } from "../../job/errors.js";

/** The primary result codes that are told apart, by SQLite's numbers. `node:sqlite` gives numbers, the others names. */
const CODES: Readonly<Record<number, string>> = {
  3: "SQLITE_PERM",
  5: "SQLITE_BUSY",
  6: "SQLITE_LOCKED",
  8: "SQLITE_READONLY",
  10: "SQLITE_IOERR",
  11: "SQLITE_CORRUPT",
  13: "SQLITE_FULL",
  14: "SQLITE_CANTOPEN",
  15: "SQLITE_PROTOCOL",
  18: "SQLITE_TOOBIG",
  26: "SQLITE_NOTADB",
};

/** What went wrong, what to do, and whether the same call may succeed later. */
interface Advice {
  readonly message: string;
  readonly retryable: boolean;
  readonly config?: true;
}

const ADVICE: Readonly<Record<string, Advice>> = {
  SQLITE_PERM: { message: "access was denied: check the permissions of the file", retryable: false, config: true },
  SQLITE_READONLY: {
    message: "the file is read-only: make it and its directory writable",
    retryable: false,
    config: true,
  },
  SQLITE_IOERR: { message: "the disk failed to read or write: check the disk and its file system", retryable: true },
  SQLITE_CORRUPT: { message: "the file is damaged: restore it from a backup", retryable: false },
  SQLITE_FULL: { message: "the disk is full: free some space", retryable: true },
  SQLITE_CANTOPEN: {
    message: "the file cannot be opened: check the path and the permissions of its directory",
    retryable: false,
    config: true,
  },
  SQLITE_TOOBIG: { message: "a job or result is larger than SQLite's limit of 1 GB", retryable: false },
  SQLITE_NOTADB: {
    message: "the file is not a SQLite database: choose another path",
    retryable: false,
    config: true,
  },
};

/** The primary result code of a client's error, such as `"SQLITE_BUSY"`. */
export function resultCode(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null) return undefined;
  const { code, errcode } = error as { code?: unknown; errcode?: unknown };
  if (typeof errcode === "number") return CODES[errcode & 0xff] ?? "SQLITE_ERROR";
  if (typeof code !== "string" || !code.startsWith("SQLITE_")) return openFailure(error);
  return Object.values(CODES).find((name) => code === name || code.startsWith(`${name}_`)) ?? "SQLITE_ERROR";
}

/** Does another connection hold the lock for the moment? (`PROTOCOL` is a lost race for a lock of the WAL.) */
export function isBusy(error: unknown): boolean {
  const code = resultCode(error);
  return code === "SQLITE_BUSY" || code === "SQLITE_LOCKED" || code === "SQLITE_PROTOCOL" || isNested(error);
}

/**
 * The one place where a client's error becomes ours: in one line, what failed, where, and what to do.
 *
 * @param outcome `"unknown"` when the transaction may have been committed all the same.
 */
export function toTaskwrightError(
  error: unknown,
  location: string,
  outcome: OperationOutcome = "none",
): TaskwrightError {
  if (error instanceof TaskwrightError) return error;
  const advice = ADVICE[resultCode(error) ?? ""];
  const message = `${location}: ${advice?.message ?? describe(error)}`;
  if (advice?.config) return new ConfigError(message, { cause: error });
  return new BrokerError(message, { cause: error, outcome, retryable: advice?.retryable ?? false });
}

/** What a caller is told when others held the write lock for longer than `busyTimeout`. */
export function busyError(location: string, waited: number, cause: unknown): BrokerError {
  return new BrokerError(
    `${location}: other processes held the write lock for ${Math.round(waited)} ms: try again, write in shorter transactions, or raise busyTimeout`,
    { cause, retryable: true },
  );
}

/** Every call after `close` fails with this. */
export function closedError(location: string): BrokerError {
  return new BrokerError(`${location}: the connection is closed`, { retryable: false });
}

/** libsql names no code when it cannot open; the number at the end is SQLite's. */
function openFailure(error: object): string | undefined {
  const number = /^ConnectionFailed\(.*: (\d+)"?\)$/s.exec(describe(error))?.[1];
  return number === undefined ? undefined : CODES[Number(number) & 0xff];
}

/** A transaction of the user's is open on a connection that was lent to us. It will pass. */
function isNested(error: unknown): boolean {
  return /cannot start a transaction within a transaction/.test(describe(error));
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
