import type { OutgoingJob } from "../../../contracts/broker.js";
import type { When } from "../../../contracts/clock.js";
import { encodeHeaders } from "../../../job/headers.js";
import { encodeId, encodeName, id } from "../cells.js";
import type { Session } from "../client/client.js";
import { byKey, NOW, type Parameter, paddedParts, repeat, type Tables, toMicros } from "../sql.js";

/** The place of what is not due, in the line. Places before it are `9 - priority`, so the highest priority comes first. */
export const LATER = 10;

/** A job and its position in the batch, which decides among those of one moment. */
export interface NewJob {
  readonly job: OutgoingJob;
  readonly n: number;
}

/**
 * Purpose: new jobs.
 * Callers: publish, in a transaction of ours or of the user's.
 * Cost: three statements for a batch of a power of two. Two insertions a job, both at the right edge for generated ids.
 *   With 1,000 jobs of 80 bytes the server takes 12 microseconds a job.
 */
export function publishing(tables: Tables) {
  const insert = `INSERT INTO ${tables.jobs} (id, queue, priority, n, due, expires, headers, body) VALUES `;
  // A time that has passed is now: a job does not overtake those that waited when it was published.
  const timed = `(?, ?, ?, ?, GREATEST(${NOW} + ?, ?), COALESCE(${NOW} + ?, ?), ?, ?)`;
  const plain = `(?, ?, ?, ?, ${NOW}, NULL, NULL, ?)`;

  const taken = (count: number) => {
    const ids = repeat("?", count);
    // As it stands now, not as it stood when a transaction of the user's began.
    return `SELECT id FROM ${tables.jobs} WHERE id IN (${ids})
      UNION ALL SELECT id FROM ${tables.dead} WHERE id IN (${ids})
      UNION ALL SELECT id FROM ${tables.outcomes} WHERE id IN (${ids}) AND (expires IS NULL OR expires > ${NOW})`;
  };

  /** The place is decided when the job is inserted here, so a time that passes in between makes no difference. */
  const line = (count: number) =>
    `INSERT INTO ${tables.line} (queue, place, at, n, id, priority, retrying, attempt, losses, cancel)
      SELECT queue, IF(due > ${NOW}, ${LATER}, 9 - priority), due, n, id, priority, 0, 0, 0, 0
      FROM ${byKey(tables.jobs)} WHERE id IN (${repeat("?", count)})`;

  return {
    /** Which of these ids belong to a live job, a dead letter or a kept outcome. `locking`: see those of others at once. */
    async taken(session: Session, ids: readonly string[], locking: boolean): Promise<Set<string>> {
      const found = new Set<string>();
      for (const part of paddedParts(ids.map(encodeId))) {
        const sql = locking
          ? `SELECT id FROM ${byKey(tables.jobs)} WHERE id IN (${repeat("?", part.length)}) LOCK IN SHARE MODE`
          : taken(part.length);
        const rows = await session.run(sql, locking ? part : [...part, ...part, ...part]);
        for (const row of rows) found.add(id(row));
      }
      return found;
    },
    /** Inserts jobs, of a number that `rowParts` gives. None where one of their ids is taken: then it throws. */
    async insert(session: Session, jobs: readonly NewJob[]): Promise<void> {
      const simple = jobs.every(({ job }) => isPlain(job));
      const values = jobs.flatMap(simple ? plainRow : timedRow);
      await session.run(insert + repeat(simple ? plain : timed, jobs.length), values);
    },
    /** Puts inserted jobs in line. */
    async queue(session: Session, jobs: readonly NewJob[]): Promise<void> {
      for (const part of paddedParts(jobs.map(({ job }) => encodeId(job.id)))) {
        await session.run(line(part.length), part);
      }
    },
  };
}

/** About how many bytes a job takes in a statement. */
export function bytesOf({ job }: NewJob): number {
  return job.body.length + job.queue.length + 100;
}

function isPlain({ notBefore, expires, headers }: OutgoingJob): boolean {
  return notBefore === undefined && expires === undefined && headers === undefined;
}

function plainRow({ job, n }: NewJob): Parameter[] {
  return [encodeId(job.id), encodeName(job.queue), job.priority, n, job.body];
}

function timedRow({ job, n }: NewJob): Parameter[] {
  const { id, queue, priority, notBefore = { in: 0 }, expires, headers, body } = job;
  const [dueIn, dueAt] = moment(notBefore);
  const [expiresIn, expiresAt] = expires === undefined ? [null, null] : moment(expires);
  return [
    encodeId(id),
    encodeName(queue),
    priority,
    n,
    Math.max(0, dueIn ?? 0),
    dueAt ?? 0,
    expiresIn,
    expiresAt,
    encodeHeaders(headers) ?? null,
    body,
  ];
}

/** From now on, or by the clock. */
function moment(when: When): [inMicros: number | null, atMicros: number | null] {
  return "in" in when ? [toMicros(when.in), null] : [null, toMicros(when.at)];
}
