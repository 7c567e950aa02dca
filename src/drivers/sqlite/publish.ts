import type { OutgoingJob, PublishStatus } from "../../contracts/broker.js";
import { resolveWhen } from "../../contracts/clock.js";
import type { PublishStatements } from "./statements/index.js";
import type { NewJob } from "./statements/publishing.js";

/** Where each job of a batch came from in it. */
interface Batch {
  readonly jobs: NewJob[];
  readonly positions: number[];
}

/**
 * Writes a batch, within a transaction of the caller's. Jobs that are due come first in the numbering and delayed ones
 * after them, so that each kind is one range and finds its place with one statement.
 */
export function publishJobs(statements: PublishStatements, jobs: readonly OutgoingJob[], now: number): PublishStatus[] {
  const statuses: PublishStatus[] = new Array(jobs.length).fill("duplicate");
  const { due, delayed } = sort(statements, jobs, now);
  const batch = [...due.jobs, ...delayed.jobs];
  if (batch.length === 0) return statuses;
  const first = statements.sequences.take("job", batch.length);
  const last = first + batch.length - 1;
  const firstDelayed = first + due.jobs.length;
  const created = insertAll(statements, batch, first);
  if (due.jobs.length > 0) statements.publishing.ready(first, firstDelayed - 1);
  if (delayed.jobs.length > 0) statements.publishing.schedule(firstDelayed, last);
  for (const [index, position] of [...due.positions, ...delayed.positions].entries()) {
    if (created(first + index)) statuses[position] = "created";
  }
  return statuses;
}

/** Answers a test for the numbers that were new. Usually all were, and nothing needs to be read back. */
function insertAll({ publishing }: PublishStatements, batch: readonly NewJob[], first: number) {
  if (publishing.insert(batch, first) === batch.length) return () => true;
  const inserted = publishing.inserted(first, first + batch.length - 1);
  return (seq: number) => inserted.has(seq);
}

/** Parts the due from the delayed, and leaves out those whose chosen id is taken. */
function sort(
  statements: PublishStatements,
  jobs: readonly OutgoingJob[],
  now: number,
): { due: Batch; delayed: Batch } {
  const due: Batch = { jobs: [], positions: [] };
  const delayed: Batch = { jobs: [], positions: [] };
  const queues = new Map<string, number>();
  const chosen = new Set<string>();
  for (const [position, job] of jobs.entries()) {
    if (job.unique) {
      if (chosen.has(job.id) || statements.publishing.exists(job.id, now)) continue;
      chosen.add(job.id);
    }
    const when = job.notBefore ? resolveWhen(job.notBefore, now) : now;
    const batch = when > now ? delayed : due;
    const queue = queues.get(job.queue) ?? statements.queues.require(job.queue);
    queues.set(job.queue, queue);
    const expires = job.expires ? resolveWhen(job.expires, now) : null;
    // A time that has passed is now: a job does not overtake those that waited when it was published.
    batch.jobs.push({ job, queue, due: Math.max(Math.ceil(when), now), expires: expires && Math.ceil(expires) });
    batch.positions.push(position);
  }
  return { due, delayed };
}
