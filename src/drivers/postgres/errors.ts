import { BrokerError, ConfigError, type OperationOutcome, SchemaError, TaskwrightError } from "../../job/errors.js";

/** What went wrong, what to do, and whether the same call may succeed later. Keys are SQLSTATEs, or their first two characters. */
interface Advice {
  readonly advice: string;
  readonly retryable?: false;
  readonly error?: "config" | "schema";
}

const ADVICE: Readonly<Record<string, Advice>> = {
  "22021": { advice: "a name or id has a character that PostgreSQL cannot keep (0)", retryable: false },
  "25006": { advice: "it is read-only (a replica?): connect to the primary" },
  "28": { advice: "user or password is wrong, or the user may not log in: correct the URL", error: "config" },
  "3D000": { advice: "the database does not exist: create it, or correct the URL", error: "config" },
  "40": { advice: "others changed the same rows at the same time" },
  "42501": { advice: "the user may not do that: grant it the schema, its tables and functions", error: "config" },
  "3F000": { advice: "the schema is missing: run `taskwright migrate`", error: "schema" },
  "42P01": { advice: "a table is missing: run `taskwright migrate`", error: "schema" },
  "42883": { advice: "a function is missing: run `taskwright migrate`", error: "schema" },
  "42703": { advice: "a column is missing: run `taskwright migrate`", error: "schema" },
  "53100": { advice: "its disk is full: free some space" },
  "53200": { advice: "it is out of memory" },
  "53300": { advice: "it has no connection left: raise max_connections, or lower poolSize" },
  "53400": { advice: "one of its limits is reached" },
  "55": { advice: "something is locked" },
  "57014": { advice: "the statement was cancelled (statement_timeout?)" },
  "57P": { advice: "it is shutting down or starting" },
  "58": { advice: "it cannot read or write its files: look into its log" },
  "25": { advice: "the transaction cannot do that any more: roll it back", retryable: false },
};

/** Errors of no server: by what their message says. */
const TROUBLES: readonly (readonly [sign: RegExp, advice: string, kind?: "config"])[] = [
  [/^(ENOENT|EACCES|EISDIR)\b.*, (open|read)\b/, "correct sslrootcert, sslcert or sslkey in the URL", "config"],
  [/\bECONNREFUSED\b|\bENOENT\b/, "nobody listens there: start the server, or correct the address"],
  [/\b(ENOTFOUND|EAI_AGAIN)\b/, "the name of the host is not known: correct the address, or look into the DNS"],
  [/\b(ETIMEDOUT|EHOSTUNREACH|ENETUNREACH)\b/, "it cannot be reached: look into network and firewall"],
  [
    /timeout exceeded when trying to connect/,
    "no connection was free, or could be opened, within `timeout`: is the server reachable, and poolSize large enough?",
  ],
  [/query read timeout/i, "no answer within `timeout`"],
  [
    /does not support SSL|certificate|altnames/i,
    "TLS could not be agreed upon: correct sslmode and sslrootcert in the URL, or the option tls",
    "config",
  ],
  [/SSL/, "TLS failed: correct sslmode in the URL, or the option tls"],
];

/** The SQLSTATE of what pg, or an ORM above it, threw. */
function sqlState(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null) return undefined;
  const { code, cause } = error as { code?: unknown; cause?: unknown };
  if (typeof code === "string" && /^[0-9A-Z]{5}$/.test(code) && !/^E[A-Z]{4}$/.test(code)) return code;
  return cause === undefined ? undefined : sqlState(cause);
}

/** Everything was rolled back, and the same again may well succeed: deadlock or serialization failure. */
export function isConflict(error: unknown): boolean {
  return /^40/.test(sqlState(error) ?? "");
}

export function isDuplicateKey(error: unknown): boolean {
  return sqlState(error) === "23505";
}

/** Did the server end the connection, or the connection end by itself? Then nobody knows what became of a call. */
function isDisconnect(error: unknown): boolean {
  const state = sqlState(error);
  return state === undefined || /^(08|57P)/.test(state);
}

/**
 * The one place where an error of pg becomes ours: in one line, where, what failed and what to do.
 *
 * @param outcome What is known of the call where the connection and not the statement failed.
 */
export function toTaskwrightError(error: unknown, location: string, outcome: OperationOutcome): TaskwrightError {
  if (error instanceof TaskwrightError) return error;
  const state = sqlState(error);
  const found = state === undefined ? undefined : adviceFor(state);
  if (found === undefined) return withoutAdvice(error, location, outcome, state);
  const text = `postgres at ${location}: ${found.advice} (${firstLine(error)})`;
  if (found.error === "config") return new ConfigError(text, { cause: error });
  if (found.error === "schema") return new SchemaError(text, { cause: error });
  const known = isDisconnect(error) ? outcome : "none";
  return new BrokerError(text, { cause: error, retryable: found.retryable ?? true, outcome: known });
}

/** For an error of the network, or one of the server's that is told as it is. */
function withoutAdvice(
  error: unknown,
  location: string,
  outcome: OperationOutcome,
  state: string | undefined,
): TaskwrightError {
  const message = firstLine(error);
  const [, advice, kind] = (state === undefined ? TROUBLES.find(([sign]) => sign.test(message)) : undefined) ?? [];
  const text = `postgres at ${location}: ${advice === undefined ? message : `${advice} (${message})`}`;
  if (kind === "config") return new ConfigError(text, { cause: error });
  return new BrokerError(text, {
    cause: error,
    retryable: state === undefined || state.startsWith("08"),
    outcome: isDisconnect(error) ? outcome : "none",
  });
}

/** Every call after `close` fails with this. */
export function closedError(location: string): BrokerError {
  return new BrokerError(`the connection to postgres at ${location} is closed`, { retryable: false });
}

function adviceFor(state: string): Advice | undefined {
  return ADVICE[state] ?? ADVICE[state.slice(0, 3)] ?? ADVICE[state.slice(0, 2)];
}

function firstLine(error: unknown): string {
  const nested = error instanceof AggregateError ? error.errors[0] : undefined;
  const message = error instanceof Error ? error.message || firstLine(nested) : String(error);
  return message.split("\n", 1)[0] ?? "";
}
