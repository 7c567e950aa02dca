import type { JobRecord, QueuedState } from "../../../contracts/inspector.js";
import type { SqlRow } from "../../../contracts/transaction.js";
import { bytes, encodeName, integer, name, optionalInteger } from "../cells.js";
import type { PooledSession, Session } from "../client/client.js";
import { NOW, type Parameter, type Tables, toMillis } from "../sql.js";
import { besideLive, DEAD_COLUMNS, type LineKey, liveColumns, toLineKey, toRecord, toState } from "./places.js";
import { LATER } from "./slices.js";

/** How many jobs of a queue are in a state. */
export interface Count {
  readonly queue: string;
  readonly state: QueuedState;
  readonly count: number;
  /** Epoch ms since when the first of them is due, or is to be. */
  readonly oldest: number | undefined;
}

export interface PageRequest {
  /** Absent: all queues. */
  readonly queue: string | undefined;
  readonly limit: number;
  /** Where the last page ended: the parameters that say so. */
  readonly after: readonly Parameter[];
}

/** A job of a page, and where to go on after it. */
export interface Listed {
  readonly record: JobRecord;
  readonly position: readonly Parameter[];
}

/** What is due counts as waiting, also where it has not been moved in line yet. */
const WAITING = `(l.place < ${LATER} OR l.at <= ${NOW})`;

/**
 * Purpose: how many jobs there are, and pages of them; and the deletion of many.
 * Callers: the inspector.
 * Cost: counts walk over the small rows of all jobs. A page of waiting jobs walks from the front of its queue's line, all
 *   others along the ids.
 */
export function listing(tables: Tables) {
  const counts = `
    SELECT l.queue, CASE WHEN ${WAITING} THEN 'waiting' WHEN l.retrying = 1 THEN 'retrying' ELSE 'scheduled' END AS state,
      COUNT(*) AS count, MIN(l.at) AS oldest FROM ${tables.line} l GROUP BY 1, 2
    UNION ALL SELECT queue, 'active', COUNT(*), NULL FROM ${tables.leases} GROUP BY queue
    UNION ALL SELECT queue, 'dead', COUNT(*), NULL FROM ${tables.dead} GROUP BY queue`;
  const paused = `SELECT queue FROM ${tables.pauses}`;
  const live = `SELECT ${liveColumns()} FROM ${tables.jobs} j ${besideLive(tables)}`;
  const later = (retrying: 0 | 1) =>
    `${live} WHERE j.id > ? AND (? OR j.queue = ?) AND s.retrying = ${retrying} AND s.at > ${NOW} ORDER BY j.id LIMIT ?`;
  const pages: Readonly<Record<Exclude<QueuedState, "waiting"> | "live", string>> = {
    live: `${live} WHERE j.id > ? AND (? OR j.queue = ?) ORDER BY j.id LIMIT ?`,
    active: `${live} WHERE j.id > ? AND (? OR j.queue = ?) AND a.id IS NOT NULL ORDER BY j.id LIMIT ?`,
    scheduled: later(0),
    retrying: later(1),
    dead: `SELECT ${DEAD_COLUMNS} FROM ${tables.dead} d WHERE d.id > ? AND (? OR d.queue = ?) ORDER BY d.id LIMIT ?`,
  };
  const waiting = `
    SELECT ${liveColumns()}, l.slice, l.at FROM ${tables.line} l STRAIGHT_JOIN ${tables.jobs} j ON j.id = l.id ${besideLive(tables)}
    WHERE l.queue >= ? AND (l.queue, l.place, l.slice, l.at, l.n, l.id) > (?, ?, ?, ?, ?, ?) AND (? OR l.queue = ?)
      AND l.place < ${LATER}
    ORDER BY l.queue, l.place, l.slice, l.at, l.n, l.id LIMIT ?`;
  const keys = (where: string) =>
    `SELECT l.queue, l.place, l.slice, l.at, l.n, l.id FROM ${tables.line} l WHERE l.queue = ? AND ${where}
      LIMIT ? FOR UPDATE SKIP LOCKED`;
  const selections: Partial<Record<QueuedState, string>> = {
    waiting: keys(WAITING),
    scheduled: keys(`NOT ${WAITING} AND l.retrying = 0`),
    retrying: keys(`NOT ${WAITING} AND l.retrying = 1`),
  };
  const purgeDead = `DELETE FROM ${tables.dead} WHERE queue = ? LIMIT ?`;
  const pause = `INSERT IGNORE INTO ${tables.pauses} (queue) VALUES (?)`;
  const resume = `DELETE FROM ${tables.pauses} WHERE queue = ?`;

  return {
    counts: async (session: Session) => (await session.run(counts)).map(toCount),
    paused: async (session: Session) => (await session.run(paused)).map((row) => name(row, "queue")),
    async setPaused(session: Session, queue: string, value: boolean): Promise<void> {
      await session.run(value ? pause : resume, [encodeName(queue)]);
    },
    /** One page of a state. Waiting jobs come in the order of claiming, all others in the order of their ids. */
    async page(session: Session, state: QueuedState | "live", request: PageRequest): Promise<Listed[]> {
      const { limit, after } = request;
      const queue = encodeName(request.queue ?? "");
      const any = request.queue === undefined ? 1 : 0;
      if (state !== "waiting") {
        const rows = await session.run(pages[state], [after[0] ?? Buffer.of(), any, queue, limit]);
        return rows.map((row) => ({ record: toRecord(row), position: [bytes(row, "id")] }));
      }
      const start = after.length === 6 ? after : [queue, 0, 0, 0, -1, Buffer.of()];
      const rows = await session.run(waiting, [start[0] ?? queue, ...start, any, queue, limit]);
      return rows.map((row) => ({ record: toRecord(row), position: toLineKey(row) }));
    },
    /** Up to `max` jobs of a queue in a state, locked until the end of the transaction, but for those that others hold. */
    async lockSome(session: Session, queue: string, state: QueuedState, max: number): Promise<LineKey[]> {
      const sql = selections[state];
      return sql === undefined ? [] : (await session.run(sql, [encodeName(queue), max])).map(toLineKey);
    },
    purgeDead: (session: PooledSession, queue: string, max: number) =>
      session.change(purgeDead, [encodeName(queue), max]),
  };
}

function toCount(row: SqlRow): Count {
  const oldest = optionalInteger(row, "oldest");
  return {
    queue: name(row, "queue"),
    state: toState(row.state),
    count: integer(row, "count"),
    oldest: oldest === undefined ? undefined : toMillis(oldest),
  };
}
