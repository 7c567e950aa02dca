import type { OutgoingJob, PublishStatus } from "../../contracts/broker.js";
import type { Session } from "./client/client.js";
import { isDuplicateKey } from "./errors.js";
import { rowParts } from "./sql.js";
import type { Statements } from "./statements/index.js";
import { bytesOf, type NewJob } from "./statements/publishing.js";

/** Writes a batch, within a transaction of the caller's. Answers in the order given. */
export async function publishJobs(
  statements: Statements,
  session: Session,
  jobs: readonly OutgoingJob[],
): Promise<PublishStatus[]> {
  const created = await withoutTaken(statements, session, numbered(jobs));
  const parts: (readonly NewJob[])[] = [];
  for (const part of rowParts(created, bytesOf, statements.packet)) {
    parts.push(...(await insertNew(statements, session, part)));
  }
  await statements.publishing.queue(session, parts);
  const statuses: PublishStatus[] = new Array(jobs.length).fill("duplicate");
  for (const { n } of parts.flat()) statuses[n] = "created";
  return statuses;
}

/** Each job with its position, without the later of two with one id. */
function numbered(jobs: readonly OutgoingJob[]): NewJob[] {
  const chosen = new Set<string>();
  return jobs.flatMap((job, n) => {
    if (job.unique && chosen.has(job.id)) return [];
    if (job.unique) chosen.add(job.id);
    return [{ job, n }];
  });
}

/** Generated ids are not looked for. */
async function withoutTaken(statements: Statements, session: Session, jobs: readonly NewJob[]): Promise<NewJob[]> {
  const chosen = jobs.filter(({ job }) => job.unique).map(({ job }) => job.id);
  if (chosen.length === 0) return [...jobs];
  const taken = await statements.publishing.taken(session, chosen, false);
  return jobs.filter(({ job }) => !taken.has(job.id));
}

/**
 * Inserts those whose ids are free. Somebody else may have published one of them since it was looked for: InnoDB then
 * takes back the one statement, and it is looked at who that was. Answers them by the statement that inserted them.
 */
async function insertNew(
  statements: Statements,
  session: Session,
  jobs: readonly NewJob[],
): Promise<readonly (readonly NewJob[])[]> {
  try {
    await statements.publishing.insert(session, jobs);
    return [jobs];
  } catch (error) {
    if (!isDuplicateKey(error)) throw error;
    const ids = jobs.map(({ job }) => job.id);
    const taken = await statements.publishing.taken(session, ids, true);
    if (taken.size === 0) throw error;
    const free = jobs.filter(({ job }) => !taken.has(job.id));
    const parts: (readonly NewJob[])[] = [];
    for (const part of rowParts(free, bytesOf, statements.packet)) {
      parts.push(...(await insertNew(statements, session, part)));
    }
    return parts;
  }
}
