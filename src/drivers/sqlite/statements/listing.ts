import type { QueuedState } from "../../../contracts/inspector.js";
import { integer, optionalInteger } from "../cells.js";
import type { Client, Parameter, Statement } from "../clients/client.js";
import {
  DEAD_COLUMNS,
  LEASE_OF_JOB,
  LIVE_COLUMNS,
  type Placed,
  QUEUE_AND_HISTORY,
  READY_OF_JOB,
  SCHEDULE_OF_JOB,
  toPlaced,
} from "./places.js";

/** How many jobs of a queue are in a state. */
export interface Count {
  readonly queue: number;
  readonly state: QueuedState;
  readonly count: number;
  /** The least `due` of them. */
  readonly oldest: number | undefined;
}

export interface PageRequest {
  /** Absent: all queues. */
  readonly queue: number | undefined;
  readonly limit: number;
  readonly now: number;
  /** Where the last page ended: its last job's number, or for waiting jobs its queue, rank, due and number. */
  readonly after: readonly number[];
}

export interface Listing {
  counts(now: number): Count[];
  /** One page of a state. Waiting jobs come in the order of claiming, all others in the order of publication. */
  page(state: QueuedState | "live", request: PageRequest): Placed[];
}

const IN_QUEUE = "(?2 IS NULL OR j.queue = ?2)";

/** `?1` now, `?2` the queue or null, `?3` the limit, `?4` and on the place after which to begin. */
const PAGES: Readonly<Record<QueuedState | "live", string>> = {
  live: `SELECT ${LIVE_COLUMNS}
    FROM taskwright_jobs j ${QUEUE_AND_HISTORY} ${LEASE_OF_JOB} ${SCHEDULE_OF_JOB} ${READY_OF_JOB}
    WHERE j.seq > ?4 AND ${IN_QUEUE} ORDER BY j.seq LIMIT ?3`,
  active: `SELECT ${LIVE_COLUMNS} FROM taskwright_leases l CROSS JOIN taskwright_jobs j ON j.seq = l.seq
    ${QUEUE_AND_HISTORY} ${SCHEDULE_OF_JOB} ${READY_OF_JOB}
    WHERE l.seq > ?4 AND ${IN_QUEUE} ORDER BY l.seq LIMIT ?3`,
  waiting: `SELECT ${LIVE_COLUMNS}, r.rank FROM taskwright_ready r CROSS JOIN taskwright_jobs j ON j.seq = r.seq
    ${QUEUE_AND_HISTORY} ${LEASE_OF_JOB} ${SCHEDULE_OF_JOB}
    WHERE (r.queue, r.rank, r.due, r.seq) > (?4, ?5, ?6, ?7) AND r.queue <= coalesce(?2, r.queue)
    ORDER BY r.queue, r.rank, r.due, r.seq LIMIT ?3`,
  scheduled: scheduledPage(0),
  retrying: scheduledPage(1),
  dead: `SELECT ${DEAD_COLUMNS} FROM taskwright_dead d JOIN taskwright_queues q ON q.id = d.queue
    WHERE d.seq > ?4 AND (?2 IS NULL OR d.queue = ?2) AND ?1 IS NOT NULL ORDER BY d.seq LIMIT ?3`,
};

function scheduledPage(retrying: 0 | 1): string {
  return `SELECT ${LIVE_COLUMNS} FROM taskwright_scheduled s CROSS JOIN taskwright_jobs j ON j.seq = s.seq
    ${QUEUE_AND_HISTORY} ${LEASE_OF_JOB} ${READY_OF_JOB}
    WHERE s.seq > ?4 AND s.retrying = ${retrying} AND s.due > ?1 AND ${IN_QUEUE} ORDER BY s.seq LIMIT ?3`;
}

const COUNTS_SQL = `
  SELECT queue, 'waiting' AS state, count(*) AS count, min(due) AS oldest FROM taskwright_ready GROUP BY queue
  UNION ALL
  SELECT queue, CASE WHEN due <= ? THEN 'waiting' WHEN retrying = 1 THEN 'retrying' ELSE 'scheduled' END AS state,
    count(*), min(due) FROM taskwright_scheduled GROUP BY 1, 2
  UNION ALL
  SELECT j.queue, 'active', count(*), NULL FROM taskwright_leases l CROSS JOIN taskwright_jobs j ON j.seq = l.seq
    GROUP BY 1
  UNION ALL
  SELECT queue, 'dead', count(*), NULL FROM taskwright_dead GROUP BY queue`;

/**
 * Purpose: how many jobs there are, and pages of them.
 * Callers: the inspector.
 * Cost: counts walk over the small rows of all jobs, 0.1 microseconds each. A page is as long as its limit, except where
 *   most jobs passed on the way are of other queues or states.
 */
export function listing(client: Client): Listing {
  const counts = client.prepare(COUNTS_SQL);
  const pages = new Map<string, Statement>();
  const prepared = (state: QueuedState | "live") => {
    const statement = pages.get(state) ?? client.prepare(PAGES[state]);
    pages.set(state, statement);
    return statement;
  };
  return {
    counts: (now) =>
      counts.all([now]).map((row) => ({
        queue: integer(row, "queue"),
        state: row.state as QueuedState,
        count: integer(row, "count"),
        oldest: optionalInteger(row, "oldest"),
      })),
    page(state, request) {
      const start = state === "waiting" ? waitingStart(request) : [request.after[0] ?? 0];
      const parameters: Parameter[] = [request.now, request.queue ?? null, request.limit, ...start];
      return prepared(state).all(parameters).map(toPlaced);
    },
  };
}

function waitingStart({ after, queue }: PageRequest): readonly number[] {
  return after.length === 4 ? after : [queue ?? 0, -1, 0, 0];
}
