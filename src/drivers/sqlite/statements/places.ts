import type { DeadReason } from "../../../contracts/broker.js";
import type { JobRecord, QueuedState } from "../../../contracts/inspector.js";
import { decodeHeaders } from "../../../job/headers.js";
import { bytes, encodeId, id, integer, optionalBytes, text } from "../cells.js";
import type { Client, Parameter, Row, Statement } from "../clients/client.js";

/** A job where it stands. */
export interface Placed {
  readonly seq: number;
  /** The queue's number. */
  readonly queue: number;
  readonly record: JobRecord;
}

export interface Places {
  /** A live job. */
  live(id: string, now: number): Placed | undefined;
  /** A dead letter. */
  dead(id: string): Placed | undefined;
  /** Deletes a live job that is not active. */
  delete(place: Placed): void;
  deleteDead(seq: number): void;
}

/** The columns of a live job, for {@link toPlaced}. `?1` is now. */
export const LIVE_COLUMNS = `
  j.seq, j.queue AS queue_id, q.name AS queue, j.id, j.priority, j.due, j.headers, j.body, l.worker,
  coalesce(l.attempt, s.attempt, r.attempt) AS attempt, coalesce(l.losses, s.losses, r.losses) AS losses,
  NULL AS reason, h.body AS history,
  CASE WHEN l.seq IS NOT NULL THEN 'active' WHEN s.seq IS NULL OR s.due <= ?1 THEN 'waiting'
    WHEN s.retrying = 1 THEN 'retrying' ELSE 'scheduled' END AS state`;

/** What stands beside the row of a job `j`. */
export const QUEUE_AND_HISTORY = `
  JOIN taskwright_queues q ON q.id = j.queue LEFT JOIN taskwright_histories h ON h.seq = j.seq`;
export const LEASE_OF_JOB = "LEFT JOIN taskwright_leases l ON l.seq = j.seq";
export const SCHEDULE_OF_JOB = "LEFT JOIN taskwright_scheduled s ON s.seq = j.seq";
export const READY_OF_JOB = `
  LEFT JOIN taskwright_ready r ON r.queue = j.queue AND r.rank = 9 - j.priority AND r.due = j.due AND r.seq = j.seq`;

export const DEAD_COLUMNS = `
  d.seq, d.queue AS queue_id, q.name AS queue, d.id, d.priority, d.due, d.headers, d.body, NULL AS worker,
  d.attempt, d.losses, d.reason, d.history, 'dead' AS state`;

/**
 * Purpose: one job by its id, wherever it stands, and its removal.
 * Callers: cancel; the inspector's `find`, `retry` and `discard`.
 * Cost: a look-up by id and four by key; removal is five deletions.
 */
export function places(client: Client): Places {
  const live = client.prepare(
    `SELECT ${LIVE_COLUMNS} FROM taskwright_jobs j ${QUEUE_AND_HISTORY} ${LEASE_OF_JOB} ${SCHEDULE_OF_JOB} ${READY_OF_JOB}
     WHERE j.id = ?2`,
  );
  const dead = client.prepare(
    `SELECT ${DEAD_COLUMNS} FROM taskwright_dead d JOIN taskwright_queues q ON q.id = d.queue WHERE d.id = ?`,
  );
  const deleteReady = client.prepare(
    "DELETE FROM taskwright_ready WHERE queue = ? AND rank = ? AND due = ? AND seq = ?",
  );
  const [deleteScheduled, deleteHistory, deleteJob, deleteDead] = ["scheduled", "histories", "jobs", "dead"].map(
    (table) => client.prepare(`DELETE FROM taskwright_${table} WHERE seq = ?`),
  ) as [Statement, Statement, Statement, Statement];
  return {
    live: (id, now) => firstPlaced(live, [now, encodeId(id)]),
    dead: (id) => firstPlaced(dead, [encodeId(id)]),
    delete({ seq, queue, record }) {
      deleteReady.run([queue, 9 - record.priority, record.dueAt, seq]);
      for (const statement of [deleteScheduled, deleteHistory, deleteJob]) statement.run([seq]);
    },
    deleteDead: (seq) => void deleteDead.run([seq]),
  };
}

function firstPlaced(statement: Statement, parameters: readonly Parameter[]): Placed | undefined {
  const [row] = statement.all(parameters);
  return row && toPlaced(row);
}

/** A row of {@link LIVE_COLUMNS} or {@link DEAD_COLUMNS}. */
export function toPlaced(row: Row): Placed {
  const history = optionalBytes(row, "history");
  return {
    seq: integer(row, "seq"),
    queue: integer(row, "queue_id"),
    record: {
      id: id(row),
      queue: text(row, "queue"),
      priority: integer(row, "priority"),
      body: bytes(row, "body"),
      ...decodeHeaders(optionalBytes(row, "headers")),
      state: text(row, "state") as QueuedState,
      attempt: integer(row, "attempt"),
      losses: integer(row, "losses"),
      dueAt: integer(row, "due"),
      ...(row.worker !== null && { worker: text(row, "worker") }),
      ...(row.reason !== null && { reason: text(row, "reason") as DeadReason }),
      ...(history && { history }),
    },
  };
}
