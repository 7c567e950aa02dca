import type { StoredJob } from "./job.js";
import { LinkedList } from "./linked-list.js";

/** The due jobs of one queue and priority, first in, first out. */
export class Line extends LinkedList<StoredJob> {
  /**
   * Puts a job back where its age says, from the front. Jobs given back are older than nearly all that wait, so the walk
   * is as long as the batch that is given back, not as the line.
   */
  reinsert(job: StoredJob): void {
    let after = this.first;
    while (after && isOlder(after, job)) after = after.next;
    if (after) this.insertBefore(after, job);
    else this.append(job);
  }
}

/** The order of due jobs of one priority: by when they became due, then by when they were published. */
export function isOlder(a: StoredJob, b: StoredJob): boolean {
  return a.dueAt < b.dueAt || (a.dueAt === b.dueAt && a.sequence < b.sequence);
}
