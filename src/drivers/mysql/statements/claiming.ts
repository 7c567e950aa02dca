import type { ClaimedJob } from "../../../contracts/broker.js";
import type { SqlRow } from "../../../contracts/transaction.js";
import { decodeHeaders } from "../../../job/headers.js";
import { bytes, encodeName, id, integer, optionalBytes } from "../cells.js";
import type { Session } from "../client/client.js";
import { byKey, NOW, type Parameter, paddedParts, repeat, type Tables, toMicros } from "../sql.js";
import { exhausted, inSlices, type MarkedSlice, type Slice, slices, slicesOf } from "./slices.js";

export interface ClaimTerms {
  readonly max: number;
  /** How long the leases last, in ms. */
  readonly lease: number;
  readonly worker: string;
  /** The token of this claim, which all jobs of it get. */
  readonly token: number;
}

/** What a claim took, and the slices where it left nothing. */
export interface Claimed {
  readonly jobs: ClaimedJob[];
  readonly exhausted: readonly Slice[];
}

/** How many jobs were moved in line, and the slices where nothing that is due is left. */
export interface Promoted {
  readonly count: number;
  readonly exhausted: readonly Slice[];
}

/** A place in the line: its primary key. */
type Position = readonly Parameter[];

/**
 * Purpose: the hot path of workers. A claim moves the small rows of the jobs from the line to the leases; the rows with the
 *   bodies stay as they are.
 * Callers: a consumer's `claim`; `promote` also by the inspector.
 * Cost: three statements, between `START TRANSACTION` and `COMMIT`. The line's primary key is the order of claiming, so a
 *   claim walks along slices of it without a sort, past rows that others hold.
 *
 * Claim and completion together took the server 44 to 66 microseconds a job in batches of 500, and 66 to 78 in batches of
 * 100 (MariaDB 10.11, two busy cores, its own processor time). One table with a state in the index of claiming took 60 to
 * 80 and 82 to 105, because each move is a deletion and an insertion in that index, and the row is locked twice, in the
 * index and in the table. Joining the bodies to the locking statement instead of reading them after it made no difference
 * to the server, and saves a statement.
 */
export function claiming(tables: Tables) {
  const { mark } = slices(tables);
  const unpaused = `NOT EXISTS (SELECT 1 FROM ${tables.pauses} p WHERE p.queue = ?)`;
  const select = (count: number) => `
    SELECT l.place, l.slice, l.at, l.n, l.id, l.attempt, l.losses, l.cancel, l.priority, j.headers, j.history, j.body,
      j.expires <= ${NOW} AS expired
    FROM ${tables.line} l FORCE INDEX (PRIMARY) STRAIGHT_JOIN ${tables.jobs} j FORCE INDEX (PRIMARY) ON j.id = l.id
    WHERE l.queue = ? AND ${inSlices("l", count)} AND ${unpaused}
    ORDER BY l.place, l.slice, l.at, l.n, l.id LIMIT ? FOR UPDATE SKIP LOCKED`;
  const those = (count: number) => `(queue, place, slice, at, n, id) IN (${repeat("(?, ?, ?, ?, ?, ?)", count)})`;
  const lease = (count: number) =>
    `INSERT INTO ${tables.leases} (id, queue, token, until, worker, attempt, losses, cancel)
      SELECT id, queue, ?, ${NOW} + ?, ?, attempt + 1, losses, cancel FROM ${byKey(tables.line)} WHERE ${those(count)}`;
  const take = (count: number) => `DELETE t FROM ${byKey(tables.line)} WHERE ${those(count)}`;
  const note = `INSERT IGNORE INTO ${tables.cancels} (worker, id) VALUES (?, ?)`;
  const due = (count: number) => `
    SELECT place, slice, at, n, id, priority FROM ${byKey(tables.line)} WHERE queue = ? AND ${inSlices("t", count)} AND at <= ${NOW}
    ORDER BY place, slice, at, n, id LIMIT ? FOR UPDATE SKIP LOCKED`;
  const promote = (count: number) => `UPDATE ${byKey(tables.line)} SET place = 9 - priority WHERE ${those(count)}`;

  return {
    /** Leases up to `max` jobs from the front of these slices of a queue's line; none while it is paused. */
    async claim(session: Session, queue: string, front: readonly MarkedSlice[], terms: ClaimTerms): Promise<Claimed> {
      const { max, lease: ms, worker, token } = terms;
      const name = encodeName(queue);
      const rows = await lockFirst(session, front, select, [name], [name, max]);
      for (const part of paddedParts(rows.map((row) => positionOf(name, row)))) {
        const keys = part.flat();
        await session.run(lease(part.length), [token, toMicros(ms), encodeName(worker), ...keys]);
        await session.run(take(part.length), keys);
      }
      for (const row of rows) {
        if (integer(row, "cancel") === 1) await session.run(note, [encodeName(worker), bytes(row, "id")]);
      }
      return { jobs: rows.map((row) => toClaimed(row, queue, token)), exhausted: exhausted(front, rows, max) };
    },
    /** Moves up to `max` jobs that have become due from these slices of a queue's line to their places in it. */
    async promote(session: Session, queue: string, later: readonly MarkedSlice[], max: number): Promise<Promoted> {
      const name = encodeName(queue);
      const rows = await lockFirst(session, later, due, [name], [max]);
      for (const part of paddedParts(rows.map((row) => positionOf(name, row)))) {
        await session.run(promote(part.length), part.flat());
      }
      const oneOfEach = new Map(rows.map((row) => [`${integer(row, "priority")} ${integer(row, "slice")}`, id(row)]));
      await mark(session, [...oneOfEach.values()], { later: false });
      return { count: rows.length, exhausted: exhausted(later, rows, max) };
    },
  };
}

/** The slices stand between the other parameters. */
async function lockFirst(
  session: Session,
  front: readonly Slice[],
  sql: (count: number) => string,
  before: readonly Parameter[],
  after: readonly Parameter[],
): Promise<readonly SqlRow[]> {
  const [padded] = [...paddedParts(front)];
  if (padded === undefined) return [];
  return session.run(sql(padded.length), [...before, ...slicesOf(padded), ...after]);
}

function positionOf(queue: Buffer, row: SqlRow): Position {
  return [queue, integer(row, "place"), integer(row, "slice"), integer(row, "at"), integer(row, "n"), bytes(row, "id")];
}

function toClaimed(row: SqlRow, queue: string, token: number): ClaimedJob {
  const history = optionalBytes(row, "history");
  return {
    id: id(row),
    queue,
    priority: integer(row, "priority"),
    body: bytes(row, "body"),
    ...decodeHeaders(optionalBytes(row, "headers")),
    attempt: integer(row, "attempt") + 1,
    token,
    losses: integer(row, "losses"),
    expired: row.expired !== null && integer(row, "expired") === 1,
    ...(history && { history }),
  };
}
