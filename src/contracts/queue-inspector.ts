import type { JobRecord, QueuedState } from "./inspector.js";

/** How many jobs wait in a queue, and how many of its jobs are dead. */
export type QueueLength = Readonly<Record<"waiting" | "dead", number>>;

/**
 * Looks at queues that are named to it, and acts on their dead letters: for brokers that can neither list their queues nor
 * look into jobs that wait. The core makes an `Inspector` of it that knows the queues of the app's tasks, and refuses what
 * cannot be done.
 */
export interface QueueInspector {
  /** The queues that the broker knows of, where it can tell. */
  names?(): Promise<string[]>;
  /** Answers in the order given, `undefined` for a queue that does not exist. */
  count(queues: readonly string[]): Promise<(QueueLength | undefined)[]>;
  /** Dead letters of a queue, the oldest first, from the one after `skip` others. */
  dead(queue: string, skip: number, limit: number): Promise<JobRecord[]>;
  /** Puts dead letters back in their queue with no attempts counted, and answers which ids it found. */
  retry(queue: string, ids: readonly string[]): Promise<string[]>;
  /** Deletes dead letters, and answers which ids it found. */
  discard(queue: string, ids: readonly string[]): Promise<string[]>;
  /** Deletes all jobs of a queue that wait, or are dead, and answers how many. */
  purge(queue: string, state: Extract<QueuedState, "waiting" | "dead">): Promise<number>;
}
