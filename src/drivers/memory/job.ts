import type { DeadReason, OutgoingJob } from "../../contracts/broker.js";
import { resolveWhen } from "../../contracts/clock.js";
import type { JobRecord, QueuedState } from "../../contracts/inspector.js";
import type { Linked } from "./linked-list.js";
import type { Queue } from "./queue.js";

/** Who holds a lease: what a job needs to know of its consumer. */
export interface Holder {
  readonly worker: string;
  readonly onCancel: (ids: readonly string[]) => void;
}

/**
 * Where a job is kept: among the delayed, in its queue's line, among the leased, or with the dead letters. A job is in
 * exactly one of these places, so one pair of links serves the line and the lease list.
 */
export type Place = "delayed" | "line" | "leased" | "dead";

const STATES = { line: "waiting", leased: "active", dead: "dead" } as const;

/** A job in the store. Every field is set at once, so that all jobs share one hidden class. */
export class StoredJob implements Linked<StoredJob> {
  readonly id: string;
  readonly queue: Queue;
  readonly priority: number;
  readonly body: Uint8Array;
  readonly headers: Readonly<Record<string, unknown>> | undefined;
  /** Counts publications in this store: the tie-break of equal due times, and the cursor of listings. */
  readonly sequence: number;
  /** Epoch ms; `Infinity` for never. */
  readonly expiresAt: number;

  place: Place = "line";
  /** Epoch ms from which it may run; for dead letters, when it died. */
  dueAt: number;
  attempt = 0;
  losses = 0;
  history: Uint8Array | undefined = undefined;
  reason: DeadReason | undefined = undefined;
  cancelRequested = false;

  /** Names the one claim that may settle this job; 0 while nobody holds it. */
  token = 0;
  holder: Holder | undefined = undefined;
  leaseUntil = 0;

  previous: StoredJob | undefined = undefined;
  next: StoredJob | undefined = undefined;
  heapIndex = -1;

  constructor(job: OutgoingJob, queue: Queue, sequence: number, now: number) {
    this.id = job.id;
    this.queue = queue;
    this.priority = job.priority;
    this.body = job.body;
    this.headers = job.headers;
    this.sequence = sequence;
    this.expiresAt = job.expires === undefined ? Number.POSITIVE_INFINITY : resolveWhen(job.expires, now);
    // A moment that has passed is now: the job does not overtake those that waited when it was published.
    this.dueAt = job.notBefore === undefined ? now : Math.max(resolveWhen(job.notBefore, now), now);
  }

  /** The public name of where the job stands. A delayed job that has run before is waiting for its retry. */
  get state(): QueuedState {
    if (this.place === "delayed") return this.attempt === 0 ? "scheduled" : "retrying";
    return STATES[this.place];
  }
}

/** What an inspector sees of a job. */
export function toRecord(job: StoredJob): JobRecord {
  return {
    id: job.id,
    queue: job.queue.name,
    priority: job.priority,
    body: job.body,
    state: job.state,
    attempt: job.attempt,
    losses: job.losses,
    dueAt: job.dueAt,
    ...(job.headers && { headers: job.headers }),
    ...(job.holder && { worker: job.holder.worker }),
    ...(job.reason && { reason: job.reason }),
    ...(job.history && { history: job.history }),
  };
}
