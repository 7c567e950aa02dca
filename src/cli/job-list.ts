import type { DeadReason, QueuedState } from "../contracts/index.js";
import type { Inspect, JobView } from "../inspect/inspect.js";

/** Which jobs a command is about. */
export interface JobSelection {
  readonly state?: QueuedState | undefined;
  readonly queue?: string | undefined;
  readonly task?: string | undefined;
  readonly reason?: DeadReason | undefined;
}

const PAGE = 500;

/** All jobs of a selection, page by page as they are read. */
export async function* listJobs(inspect: Inspect, selection: JobSelection): AsyncGenerator<JobView> {
  const { reason, ...filter } = selection;
  const present = Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined));
  let cursor: string | undefined;
  do {
    const page = await inspect.jobs({ ...present, limit: PAGE, ...(cursor === undefined ? {} : { cursor }) });
    for (const job of page.jobs) if (reason === undefined || job.reason === reason) yield job;
    cursor = page.cursor;
  } while (cursor !== undefined);
}

/** The first jobs of a selection, and whether there are more. */
export async function firstJobs(
  inspect: Inspect,
  selection: JobSelection,
  limit: number,
): Promise<{ jobs: JobView[]; more: boolean }> {
  const jobs: JobView[] = [];
  for await (const job of listJobs(inspect, selection)) {
    if (jobs.length === limit) return { jobs, more: true };
    jobs.push(job);
  }
  return { jobs, more: false };
}

/** A job as plain data, for `--json`. The raw body is there where it cannot be read. */
export function jobToJson(job: JobView): Record<string, unknown> {
  const { message, body, attempts, ...fields } = job;
  if (message === undefined) return { ...fields, failures: attempts, unreadable: true, body };
  const { task, args, enqueuedAt, options } = message;
  return { ...fields, task, args, enqueuedAt: new Date(enqueuedAt), ...renamed(options), failures: attempts };
}

/** `attempt` counts the runs so far; the most runs there may be is `maxAttempts` where it was chosen for this job. */
function renamed<T extends { attempts?: number }>({ attempts, ...options }: T): Record<string, unknown> {
  return attempts === undefined ? options : { ...options, maxAttempts: attempts };
}
