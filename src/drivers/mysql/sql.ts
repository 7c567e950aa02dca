import type { SqlParameter } from "../../contracts/transaction.js";

/**
 * What our statements bind. No text: bytes and numbers mean the same whatever character set, time zone and `sql_mode` a
 * connection of the user's has, also where its client writes them into the statement.
 */
export type Parameter = Exclude<SqlParameter, string>;

/** The tables, each with its prefix. */
export type Tables = Readonly<Record<(typeof NAMES)[number], string>>;

const NAMES = [
  "migrations",
  "jobs",
  "line",
  "slices",
  "leases",
  "cancels",
  "pauses",
  "dead",
  "outcomes",
  "reports",
  "report_lines",
  "entries",
  "counters",
] as const;

export function tablesOf(prefix: string): Tables {
  return Object.fromEntries(NAMES.map((name) => [name, `${prefix}${name}`])) as Tables;
}

/**
 * The server's time in microseconds since the epoch, one moment a statement. Microseconds, so that two batches of one
 * producer never have the same time, and the line keeps their order. `NOW()` and `UNIX_TIMESTAMP()` would pass through the
 * session's time zone, which has an hour twice when summer ends.
 */
export const NOW = "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6))";

/** The same, not as a term but by itself. */
export const NOW_SQL = `SELECT ${NOW} AS now`;

/** The slice of a place in the line where a job stands: 2^20 microseconds, so about a second. */
export function sliceAt(time: string): string {
  return `(${time} >> 20)`;
}

const MICROSECONDS = 1000;
/** The last time that a `BIGINT` holds, a little before it ends. */
const LATEST = 9e18;

/** Milliseconds, as the tables have them. A fraction of one counts as a whole. */
export function toMicros(ms: number): number {
  return Math.min(Math.ceil(ms) * MICROSECONDS, LATEST);
}

/** Epoch milliseconds of a time in the tables. */
export function toMillis(micros: number): number {
  return Math.floor(micros / MICROSECONDS);
}

/**
 * Lists in statements are as long as a power of two, up to this: there are then few statements to prepare. MariaDB makes a
 * subquery of a list of 1,000 and no longer finds the rows by their key.
 */
const LONGEST_LIST = 512;

/**
 * A table whose rows are found by their primary key, `t` in the statement. Left to itself, the server reads a small table
 * from end to end to find many rows, and so waits for every row that somebody else has locked. Two workers that claimed and
 * settled 10,000 jobs at once waited 100 times for each other, and met in 6 deadlocks.
 */
export function byKey(table: string): string {
  return `${table} t FORCE INDEX (PRIMARY)`;
}

/** `count` times `term`, with commas. */
export function repeat(term: string, count: number): string {
  return new Array(count).fill(term).join(", ");
}

/** Parts of `items` for statements with a list. The last of each part is repeated until its length is a power of two. */
export function* paddedParts<T>(items: readonly T[]): Generator<readonly T[]> {
  for (let at = 0; at < items.length; at += LONGEST_LIST) {
    const part = items.slice(at, at + LONGEST_LIST);
    const last = part.at(-1) as T;
    const length = 2 ** Math.ceil(Math.log2(part.length));
    while (part.length < length) part.push(last);
    yield part;
  }
}

/**
 * Parts of `items` for statements with a row for each: as long as a power of two, since a row cannot be repeated, and of no
 * more than `limit` bytes, unless a single one has more.
 */
export function* rowParts<T>(
  items: readonly T[],
  bytesOf: (item: T) => number,
  limit: number,
): Generator<readonly T[]> {
  let at = 0;
  while (at < items.length) {
    let length = Math.min(LONGEST_LIST, 2 ** Math.floor(Math.log2(items.length - at)));
    while (length > 1 && sum(items, at, at + length, bytesOf) > limit) length /= 2;
    yield items.slice(at, at + length);
    at += length;
  }
}

function sum<T>(items: readonly T[], from: number, to: number, bytesOf: (item: T) => number): number {
  let bytes = 0;
  for (let at = from; at < to; at++) bytes += bytesOf(items[at] as T);
  return bytes;
}
