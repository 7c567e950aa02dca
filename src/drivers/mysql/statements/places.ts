import type { DeadReason } from "../../../contracts/broker.js";
import type { JobRecord, QueuedState } from "../../../contracts/inspector.js";
import type { SqlRow } from "../../../contracts/transaction.js";
import { decodeHeaders } from "../../../job/headers.js";
import { bytes, encodeId, id, integer, name, optionalBytes, optionalInteger, optionalName } from "../cells.js";
import type { Session } from "../client/client.js";
import { byKey, NOW, type Parameter, paddedParts, repeat, sliceAt, type Tables, toMillis } from "../sql.js";
import { LATER, slices } from "./slices.js";

/** A row of the line, by its primary key. */
export type LineKey = readonly [queue: Parameter, place: number, slice: number, at: number, n: number, id: Parameter];

/** The columns of a live job `j`, and what stands beside it: its lease `a`, or its row in the line, due (`r`) or not (`s`). */
export function liveColumns(): string {
  return `j.id, j.queue, j.priority, j.due, j.headers, j.body, j.history, a.worker, NULL AS reason,
    COALESCE(a.attempt, s.attempt, r.attempt) AS attempt, COALESCE(a.losses, s.losses, r.losses) AS losses,
    COALESCE(s.place, r.place, 0) AS place, j.n,
    CASE WHEN a.id IS NOT NULL THEN 'active' WHEN s.id IS NULL OR s.at <= ${NOW} THEN 'waiting'
      WHEN s.retrying = 1 THEN 'retrying' ELSE 'scheduled' END AS state`;
}

export function besideLive(tables: Tables): string {
  const at = (alias: string, place: string) =>
    `LEFT JOIN ${tables.line} ${alias} ON ${alias}.queue = j.queue AND ${alias}.place = ${place}
      AND ${alias}.slice = ${sliceAt("j.due")} AND ${alias}.at = j.due
      AND ${alias}.n = j.n AND ${alias}.id = j.id`;
  return `LEFT JOIN ${tables.leases} a ON a.id = j.id ${at("r", "9 - j.priority")} ${at("s", String(LATER))}`;
}

export const DEAD_COLUMNS = `d.id, d.queue, d.priority, d.died AS due, d.headers, d.body, d.history, NULL AS worker,
  d.reason, d.attempt, d.losses, 0 AS place, 0 AS n, 'dead' AS state`;

/**
 * Purpose: jobs by their ids, wherever they stand, and their removal.
 * Callers: cancel; the inspector's `find`, `retry` and `discard`.
 * Cost: a look-up by id and three by key; removal is two deletions.
 */
export function places(tables: Tables) {
  const { mark } = slices(tables);
  const live = (count: number) =>
    `SELECT ${liveColumns()} FROM ${tables.jobs} j ${besideLive(tables)} WHERE j.id IN (${repeat("?", count)})`;
  const dead = (count: number) => `SELECT ${DEAD_COLUMNS} FROM ${tables.dead} d WHERE d.id IN (${repeat("?", count)})`;
  const resting = `
    SELECT l.queue, l.place, l.slice, l.at, l.n, l.id FROM ${tables.jobs} j STRAIGHT_JOIN ${tables.line} l
      ON l.queue = j.queue AND l.place IN (9 - j.priority, ${LATER})
        AND l.slice = ${sliceAt("j.due")} AND l.at = j.due AND l.n = j.n AND l.id = j.id
    WHERE j.id = ?`;
  const lock = `SELECT 1 AS found FROM ${tables.line} WHERE queue = ? AND place = ? AND slice = ? AND at = ? AND n = ? AND id = ? FOR UPDATE`;
  const exists = `SELECT 1 AS found FROM ${tables.jobs} WHERE id = ?`;
  const removeLine = (count: number) =>
    `DELETE t FROM ${byKey(tables.line)} WHERE (queue, place, slice, at, n, id) IN (${repeat("(?, ?, ?, ?, ?, ?)", count)})`;
  const removeJobs = (count: number) => `DELETE t FROM ${byKey(tables.jobs)} WHERE id IN (${repeat("?", count)})`;
  const removeDead = `DELETE FROM ${tables.dead} WHERE id = ?`;
  const revival = [
    `INSERT INTO ${tables.jobs} (id, queue, priority, n, due, expires, headers, body, history)
      SELECT id, queue, priority, 0, ${NOW}, expires, headers, body, history FROM ${tables.dead} WHERE id = ?`,
    `INSERT INTO ${tables.line} (queue, place, slice, at, n, id, priority, retrying, attempt, losses, cancel)
      SELECT queue, 9 - priority, ${sliceAt("due")}, due, n, id, priority, 0, 0, 0, 0 FROM ${tables.jobs} WHERE id = ?`,
    removeDead,
  ];

  return {
    /** Those of these that there are, live ones before dead letters. */
    async find(session: Session, ids: readonly string[]): Promise<JobRecord[]> {
      const found: JobRecord[] = [];
      for (const statement of [live, dead]) {
        for (const part of paddedParts(ids.map(encodeId))) {
          for (const row of await session.run(statement(part.length), part)) found.push(toRecord(row));
        }
      }
      return found;
    },
    async exists(session: Session, id: string): Promise<boolean> {
      return (await session.run(exists, [encodeId(id)])).length > 0;
    },
    /** Where a job that does not run stands, locked until the end of the transaction; nothing where it has just moved. */
    async lock(session: Session, id: string): Promise<LineKey | undefined> {
      const [row] = await session.run(resting, [encodeId(id)]);
      const key = row && toLineKey(row);
      if (key === undefined || (await session.run(lock, key)).length === 0) return undefined;
      return key;
    },
    /** Deletes live jobs that stand in the line. */
    async delete(session: Session, keys: readonly LineKey[]): Promise<void> {
      for (const part of paddedParts(keys)) {
        await session.run(removeLine(part.length), part.flat());
        await session.run(
          removeJobs(part.length),
          part.map(([, , , , , id]) => id),
        );
      }
    },
    async deleteDead(session: Session, id: string): Promise<void> {
      await session.run(removeDead, [encodeId(id)]);
    },
    /** Makes a dead letter a job again, due now, with nothing counted. */
    async revive(session: Session, id: string): Promise<void> {
      for (const statement of revival) await session.run(statement, [encodeId(id)]);
      await mark(session, [id], { later: false });
    },
  };
}

export function toLineKey(row: SqlRow): LineKey {
  const [queue, id] = [bytes(row, "queue"), bytes(row, "id")];
  return [queue, integer(row, "place"), integer(row, "slice"), integer(row, "at"), integer(row, "n"), id];
}

const STATES: readonly QueuedState[] = ["scheduled", "waiting", "active", "retrying", "dead"];

/** A row of {@link liveColumns} or {@link DEAD_COLUMNS}. */
export function toRecord(row: SqlRow): JobRecord {
  const history = optionalBytes(row, "history");
  const worker = optionalName(row, "worker");
  const reason = optionalName(row, "reason");
  return {
    id: id(row),
    queue: name(row, "queue"),
    priority: integer(row, "priority"),
    body: bytes(row, "body"),
    ...decodeHeaders(optionalBytes(row, "headers")),
    state: toState(row.state),
    // A job that moved while it was read has no row beside it for the moment.
    attempt: optionalInteger(row, "attempt") ?? 0,
    losses: optionalInteger(row, "losses") ?? 0,
    dueAt: toMillis(integer(row, "due")),
    ...(worker !== undefined && { worker }),
    ...(reason !== undefined && { reason: reason as DeadReason }),
    ...(history && { history }),
  };
}

/** A text of ours, which drivers give as text or as bytes. */
export function toState(cell: unknown): QueuedState {
  const text = String(cell);
  const state = STATES.find((one) => one === text);
  if (state === undefined) throw new TypeError(`the database holds a job of unknown state ${text}`);
  return state;
}
