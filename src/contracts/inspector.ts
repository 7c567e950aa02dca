import type { DeadReason, Envelope } from "./broker.js";

/** Where a job that is still in its broker stands. Terminal states other than `dead` are in the backend. */
export type QueuedState = "scheduled" | "waiting" | "active" | "retrying" | "dead";

/** How many jobs of a queue are in each state, and since when the oldest has waited. */
export interface QueueSummary {
  readonly queue: string;
  readonly paused: boolean;
  /** Absent: the broker cannot tell. */
  readonly counts: Readonly<Partial<Record<QueuedState, number>>>;
  /** Epoch ms at which the oldest waiting job became due. Absent: none waits. */
  readonly oldestWaiting?: number;
}

/** A job as it stands in its broker. */
export interface JobRecord extends Envelope {
  readonly state: QueuedState;
  /** Attempts counted so far. */
  readonly attempt: number;
  readonly losses: number;
  /** Epoch ms from which it may run; for dead letters, when it died. */
  readonly dueAt: number;
  /** The worker that holds it, if active. */
  readonly worker?: string;
  /** Why it is dead. */
  readonly reason?: DeadReason;
  readonly history?: Uint8Array;
}

/** Which jobs to list. */
export interface ListFilter {
  /** Absent: all queues. */
  readonly queue?: string;
  /** Absent: all states. */
  readonly state?: QueuedState;
  /** At most this many. */
  readonly limit: number;
  /** From the previous page. */
  readonly cursor?: string;
}

/** A page of a list. */
export interface JobPage {
  readonly jobs: readonly JobRecord[];
  /** Present while there may be more. */
  readonly cursor?: string;
}

/** Looks at the jobs in a broker and acts on those at rest. Never on the hot path. */
export interface Inspector {
  /** Every queue that has jobs or is paused, by name. */
  queues(): Promise<QueueSummary[]>;
  /** Answers in the order given. */
  find(ids: readonly string[]): Promise<(JobRecord | undefined)[]>;
  /** Jobs of a queue and state, a page at a time. */
  list(filter: ListFilter): Promise<JobPage>;
  /** Puts dead letters back in their queues with no attempts counted, drops their outcomes, and answers which ids it found. */
  retry(ids: readonly string[]): Promise<string[]>;
  /** Deletes jobs that are not active, and answers which ids it found. */
  discard(ids: readonly string[]): Promise<string[]>;
  /** Deletes every job of a queue in one of these states (never active ones), and answers how many. */
  purge(queue: string, states: readonly QueuedState[]): Promise<number>;
  /** A paused queue accepts jobs but none is claimed. */
  pause(queue: string): Promise<void>;
  /** Undoes `pause`. */
  resume(queue: string): Promise<void>;
}
