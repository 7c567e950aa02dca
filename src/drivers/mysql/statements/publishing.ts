import type { OutgoingJob } from "../../../contracts/broker.js";
import type { When } from "../../../contracts/clock.js";
import { encodeHeaders } from "../../../job/headers.js";
import { encodeId, encodeName, id } from "../cells.js";
import type { Session } from "../client/client.js";
import { byKey, NOW, type Parameter, paddedParts, repeat, sliceAt, type Tables, toMicros } from "../sql.js";
import { LATER, slices } from "./slices.js";

/** A job and its position in the batch, which decides among those of one moment. */
export interface NewJob {
  readonly job: OutgoingJob;
  readonly n: number;
}

/**
 * Purpose: new jobs.
 * Callers: publish, in a transaction of ours or of the user's.
 * Cost: four statements for a batch of a power of two. Two insertions a job, both at the right edge for generated ids.
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

  const { mark } = slices(tables);
  const line = (place: string, count: number) =>
    `INSERT INTO ${tables.line} (queue, place, slice, at, n, id, priority, retrying, attempt, losses, cancel)
      SELECT queue, ${place}, ${sliceAt("due")}, due, n, id, priority, 0, 0, 0, 0
      FROM ${byKey(tables.jobs)} WHERE id IN (${repeat("?", count)})`;

  async function putInLine(session: Session, jobs: readonly OutgoingJob[], place: string): Promise<void> {
    for (const part of paddedParts(jobs.map(({ id }) => encodeId(id)))) {
      await session.run(line(place, part.length), part);
    }
  }

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
    /** Puts inserted jobs in line. They come by the statement that inserted them. */
    async queue(session: Session, parts: readonly (readonly NewJob[])[]): Promise<void> {
      const jobs = parts.flat().map(({ job }) => job);
      await putInLine(session, jobs.filter(isForNow), "9 - priority");
      // Those that the server's clock is past already are moved to their places by the next claim that looks.
      const later = jobs.filter((job) => !isForNow(job));
      await putInLine(session, later, String(LATER));
      await mark(session, parts.flatMap(oneOfEachSlice), { later: false });
      const ids = later.map(({ id }) => id);
      await mark(session, ids, { later: true });
    },
  };
}

/** Of jobs that one statement inserted: those of one queue and priority that are for now have one time. */
function oneOfEachSlice(jobs: readonly NewJob[]): string[] {
  const forNow = jobs.map(({ job }) => job).filter(isForNow);
  return [...new Map(forNow.map(({ queue, priority, id }) => [`${priority} ${queue}`, id])).values()];
}

function isForNow({ notBefore }: OutgoingJob): boolean {
  return notBefore === undefined || ("in" in notBefore && notBefore.in <= 0);
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
