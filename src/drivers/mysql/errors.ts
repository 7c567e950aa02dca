import { BrokerError, ConfigError, type OperationOutcome, SchemaError, TaskwrightError } from "../../job/errors.js";

/** What to do about an error, and what kind it is. */
interface Advice {
  readonly advice: string;
  /** `"later"`: the same call may succeed then. `"never"`: not this one. `"config"`: something has to be set. */
  readonly kind: "later" | "never" | "config" | "schema";
}

const DENIED: Advice = { advice: "the user may not do that: check user, password and grants", kind: "config" };
const READ_ONLY: Advice = {
  advice: "the server is read-only: is it a replica, or is a failover under way?",
  kind: "later",
};
const FULL: Advice = { advice: "its disk is full: free some space", kind: "later" };
const CONNECTIONS: Advice = {
  advice: "it has no connection left: raise max_connections, or lower poolSize",
  kind: "later",
};
const TOO_LARGE: Advice = {
  advice: "a packet is larger than max_allowed_packet: raise it on the server, or lower maxBytes",
  kind: "never",
};
/** Older ones send every number as one with a fraction, which MySQL takes for no `LIMIT` since 8.0.22. */
const OLD_CLIENT: Advice = {
  advice: "the server refused a number: MySQL needs mysql2 3.24 or later: run `npm install mysql2@latest`",
  kind: "config",
};
const SCHEMA: Advice = { advice: "its tables are not those of this version: run `taskwright migrate`", kind: "schema" };
const STOPPING: Advice = { advice: "it is shutting down, or ended the connection", kind: "later" };
const SLOW: Advice = { advice: "it ended the statement, which took too long or was killed", kind: "later" };
const UNREACHABLE: Advice = { advice: "it cannot be reached: look into network and firewall", kind: "later" };
const UNKNOWN_HOST: Advice = {
  advice: "the name of the host is not known: correct the address, or look into the DNS",
  kind: "later",
};
const NO_TLS: Advice = { advice: "TLS could not be agreed upon: check the certificate and `tls`", kind: "config" };

/** By the numbers of MySQL and MariaDB. What is not here is said as the server says it. */
const BY_NUMBER: Readonly<Record<number, Advice>> = {
  1020: { advice: "others changed the same rows at the same time", kind: "later" },
  1021: FULL,
  1040: CONNECTIONS,
  1044: DENIED,
  1045: { advice: "user or password is wrong: write mysql://user:password@host/database", kind: "config" },
  1047: { advice: "the node of the cluster is not ready", kind: "later" },
  1049: { advice: "there is no such database: create it, or correct the URL", kind: "config" },
  1053: STOPPING,
  1054: SCHEMA,
  1114: FULL,
  1130: { advice: "it does not let this host in", kind: "config" },
  1142: DENIED,
  1143: DENIED,
  1146: SCHEMA,
  1153: TOO_LARGE,
  1203: CONNECTIONS,
  1205: { advice: "others held locks on the same rows for too long", kind: "later" },
  1210: OLD_CLIENT,
  1213: { advice: "a deadlock with others on the same rows", kind: "later" },
  1226: CONNECTIONS,
  1227: DENIED,
  1290: READ_ONLY,
  1317: SLOW,
  1698: DENIED,
  1792: { advice: "the transaction is read-only", kind: "never" },
  1836: READ_ONLY,
  1927: STOPPING,
  1969: SLOW,
  3024: SLOW,
  3169: STOPPING,
  4031: STOPPING,
};

/** By the codes of Node and mysql2. */
const BY_CODE: Readonly<Record<string, Advice>> = {
  ECONNREFUSED: { advice: "nobody listens there: start the server, or correct the address", kind: "later" },
  ENOENT: { advice: "there is no such socket: start the server, or correct the path", kind: "later" },
  ENOTFOUND: UNKNOWN_HOST,
  EAI_AGAIN: UNKNOWN_HOST,
  ETIMEDOUT: UNREACHABLE,
  EHOSTUNREACH: UNREACHABLE,
  ENETUNREACH: UNREACHABLE,
  PROTOCOL_SEQUENCE_TIMEOUT: { advice: "no answer came in time", kind: "later" },
  HANDSHAKE_NO_SSL_SUPPORT: NO_TLS,
  HANDSHAKE_SSL_ERROR: NO_TLS,
};

const DEADLOCK = 1213;
const LOCK_WAIT = 1205;
const CHANGED = 1020;
const DUPLICATE_KEY = 1062;
const NOT_PREPARABLE = 1295;
/** The server has ended the connection with these, or is about to. */
const ENDING: ReadonlySet<number> = new Set([1053, 1153, 1927, 3169, 4031]);

/** What is known of an error: the server's number, or a code. */
interface Description {
  readonly number: number | undefined;
  readonly code: string;
  readonly message: string;
}

/** Where ORMs keep the error of the client. Prisma's is at `meta.driverAdapterError.cause`. */
const INSIDE = ["cause", "driverError", "parent", "original", "meta", "driverAdapterError"] as const;

function describe(error: unknown): Description {
  const message = (error instanceof Error ? error.message : String(error)).split("\n", 1)[0] ?? "";
  const found = clientError(error, 3);
  // Prisma's own begins with an empty line.
  return { ...found, message: message === "" ? found.message : message };
}

/** The error with the server's number, inside of what an ORM made of it; else the outermost one's code. */
function clientError(error: unknown, depth: number): Description {
  if (typeof error !== "object" || error === null) return { number: undefined, code: "", message: "" };
  const { code, originalMessage } = error as { code?: unknown; originalMessage?: unknown };
  const number = numberOf(error);
  if (number !== undefined) return { number, code: "", message: String(originalMessage ?? "") };
  const within = depth === 0 ? [] : INSIDE.map((key) => clientError(Reflect.get(error, key), depth - 1));
  const found = within.find(({ number }) => number !== undefined);
  return found ?? { number: undefined, code: typeof code === "string" ? code : "", message: "" };
}

/** What the server says, as the client of an ORM has it. Prisma writes it as text, by another name. */
function numberOf(error: object): number | undefined {
  const { errno, originalCode } = error as { errno?: unknown; originalCode?: unknown };
  // Node's errors have numbers as well, negative ones.
  if (typeof errno === "number" && errno >= 1000) return errno;
  return typeof originalCode === "string" && /^[1-9]\d{3}$/.test(originalCode) ? Number(originalCode) : undefined;
}

/** A failure as the core knows it. `outcome`: what is known of the call where the connection and not the server failed. */
export function toTaskwrightError(error: unknown, location: string, outcome: OperationOutcome): TaskwrightError {
  if (error instanceof TaskwrightError) return error;
  const { number, code, message } = describe(error);
  const found = number === undefined ? BY_CODE[code] : BY_NUMBER[number];
  const said = message === "" ? code : message;
  const text = `mysql at ${location}: ${found === undefined ? said : `${found.advice} (${said})`}`;
  const happened = number === undefined || ENDING.has(number) ? outcome : "none";
  if (found?.kind === "config") return new ConfigError(text, { cause: error });
  if (found?.kind === "schema") return new SchemaError(text, { cause: error });
  const retryable = found === undefined ? number === undefined : found.kind === "later";
  return new BrokerError(text, { cause: error, outcome: happened, retryable });
}

/** Did the server undo the transaction, or refuse to wait, because of others? The same may succeed at once. */
export function isContention(error: unknown): boolean {
  const { number } = describe(error);
  return number === DEADLOCK || number === LOCK_WAIT || number === CHANGED;
}

/** Did the server undo the whole transaction? */
export function isDeadlock(error: unknown): boolean {
  return describe(error).number === DEADLOCK;
}

/** Is the connection of no use any more? */
export function isConnectionLost(error: unknown): boolean {
  if (error instanceof TaskwrightError) return false;
  const { number } = describe(error);
  return number === undefined || ENDING.has(number);
}

/** Was a connection lost that had been open? Then another one may be had at once. */
export function isBroken(error: unknown): boolean {
  const { number, code } = describe(error);
  if (error instanceof TaskwrightError || code === "PROTOCOL_SEQUENCE_TIMEOUT") return false;
  return number === undefined ? BY_CODE[code] === undefined : ENDING.has(number) && number !== 1153;
}

export function isDuplicateKey(error: unknown): boolean {
  return describe(error).number === DUPLICATE_KEY;
}

/** MySQL prepares no SAVEPOINT, and some ORMs prepare everything. */
export function isNotPreparable(error: unknown): boolean {
  return describe(error).number === NOT_PREPARABLE;
}

export function isMissingSavepoint(error: unknown): boolean {
  return describe(error).number === 1305;
}

export function isMissingTable(error: unknown): boolean {
  return describe(error).number === 1146;
}

/** Every call after `close` fails with this. */
export function closedError(location: string): BrokerError {
  return new BrokerError(`the connection to mysql at ${location} is closed`, { retryable: false });
}
