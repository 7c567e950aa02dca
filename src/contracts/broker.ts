import type { OutcomeRecord } from "./backend.js";
import type { When } from "./clock.js";

/** A job as a broker carries it: routing in the clear, everything else in `body`, which only the protocol reads. */
export interface Envelope {
  /** A UUIDv7, or the caller's own id when `unique` is true. At most 255 characters. */
  readonly id: string;
  readonly queue: string;
  /** 0..9, higher first. */
  readonly priority: number;
  /** The encoded job. Written by the protocol, opaque to drivers. */
  readonly body: Uint8Array;
  /**
   * What a protocol puts beside the body: Celery's table of `headers`, and its `properties` by their names in AMQP
   * (`content_type`, `correlation_id`). Absent in the native protocol.
   */
  readonly headers?: Readonly<Record<string, unknown>>;
}

/** An envelope on its way into a broker. */
export interface OutgoingJob extends Envelope {
  /** The task's name, for drivers that index or route by it. It is also in `body`. */
  readonly task: string;
  /** Not before this moment, on the server's clock. Absent: now. */
  readonly notBefore?: When;
  /** Never after this moment, on the server's clock. Absent: for ever. */
  readonly expires?: When;
  /**
   * The id was chosen by the caller. The driver must look for a job or a kept outcome with this id first, and publish
   * nothing when there is one. Generated ids skip that look-up.
   */
  readonly unique?: boolean;
}

/** What became of one published job. `duplicate`: a job with this id already exists and nothing was written. */
export type PublishStatus = "created" | "duplicate";

/** Identifies one attempt of one job. Only its holder may extend or settle it. */
export interface Lease {
  readonly id: string;
  readonly queue: string;
  /** 1-based. The claim that returned this lease was counted as this attempt. */
  readonly attempt: number;
  /** Differs for each claim of the job; a settle with an outdated token changes nothing. */
  readonly token: string | number;
}

/** A job leased to a worker. */
export interface ClaimedJob extends Envelope, Lease {
  /** How many times a lease of this job passed because its worker was gone. */
  readonly losses: number;
  /** The job's `expires` had passed when it was claimed, on the server's clock. It is not to be run. */
  readonly expired: boolean;
  /** What earlier attempts left for later ones through `retry` or `release`. Opaque to drivers. */
  readonly history?: Uint8Array;
}

/** The end of an attempt. Each is one atomic transition in the driver. */
export type Settlement =
  /** Done: the job leaves the queue for good. `outcome`, where given, is stored in the same step. */
  | { readonly lease: Lease; readonly kind: "complete"; readonly outcome?: OutcomeRecord }
  /** Failed, to run again after `delay` ms. The attempt stays counted. */
  | {
      readonly lease: Lease;
      readonly kind: "retry";
      readonly delay: number;
      readonly history: Uint8Array;
      /**
       * What to put back instead of what was claimed, at once: it says itself when it is due, and how many attempts there
       * were. Only in protocols that count so (Celery).
       */
      readonly again?: OutgoingJob;
    }
  /** Failed for good: kept among the dead letters with `reason`, its raw body and history. */
  | {
      readonly lease: Lease;
      readonly kind: "dead";
      readonly reason: DeadReason;
      readonly history: Uint8Array;
      readonly outcome?: OutcomeRecord;
    }
  /** Given back after `delay` ms, as if this claim had not happened: the attempt is not counted. */
  | { readonly lease: Lease; readonly kind: "release"; readonly delay: number; readonly history?: Uint8Array };

/** Why jobs can be among the dead letters. */
export const DEAD_REASONS = [
  "failed",
  "rejected",
  "lease-lost",
  "unknown-task",
  "unreadable",
  "invalid-arguments",
  "invalid-result",
] as const;

/** Why a job is among the dead letters. */
export type DeadReason = (typeof DEAD_REASONS)[number];

/** `lost`: the lease had passed to somebody else (or the job is gone), and the settlement changed nothing. */
export type SettleStatus = "settled" | "lost";

/** `cancel`: still held, but somebody asked for the job to stop. */
export type LeaseStatus = "held" | "lost" | "cancel";

/** What a worker asks for. */
export interface ClaimRequest {
  /** Queues in the order in which to drain them; a subset of those the consumer was opened with. */
  readonly queues: readonly string[];
  /** At most this many jobs. */
  readonly max: number;
  /** Milliseconds to wait for a first job when there is none. 0 answers at once. */
  readonly wait: number;
  /** Ends the wait early; the claim then resolves with what it has, usually nothing. */
  readonly signal?: AbortSignal;
}

/** How a worker holds on to a broker. */
export interface ConsumeOptions {
  /** The worker's id, for the registry and for inspection. */
  readonly worker: string;
  readonly queues: readonly string[];
  /** The most jobs that a push broker delivers before they are settled, its prefetch, also to claims that ask for more. */
  readonly capacity: number;
  /** How long a lease lasts without an `extend`, in ms. */
  readonly lease: number;
  /** Called with ids of jobs held by this consumer whose cancellation was asked for. May repeat an id. */
  readonly onCancel: (ids: readonly string[]) => void;
}

/**
 * One worker's hold on a broker: it claims, extends and settles. A settle belongs to the consumer that claimed, because
 * some brokers (AMQP) acknowledge on the channel that delivered.
 */
export interface Consumer {
  /** Leases up to `max` due jobs, by queue order, then priority, then age. Counts an attempt for each. */
  claim(request: ClaimRequest): Promise<ClaimedJob[]>;
  /**
   * Ends attempts. Answers in the order given. Never throws for a lost lease.
   *
   * With `transaction` (see `Capabilities.transactions`) the writes go through the user's own connection, as those of
   * `Broker.publish` do, and count when it commits.
   */
  settle(settlements: readonly Settlement[], transaction?: unknown): Promise<SettleStatus[]>;
  /** Renews leases for the consumer's `lease` time. Answers in the order given. */
  extend(leases: readonly Lease[]): Promise<LeaseStatus[]>;
  /** Stops delivery. Leases still held are left to pass or, on connection-bound brokers, are given back. */
  close(): Promise<void>;
}

/**
 * `cancelled`: it had not started and never will. `requested`: it is active, and its worker is told. `absent`: no such
 * job waits or runs here.
 */
export type CancelStatus = "cancelled" | "requested" | "absent";

/** A job to stop. */
export interface CancelRequest {
  readonly id: string;
  /** Stored in the same step where the job is cancelled before it started. */
  readonly outcome?: OutcomeRecord;
}

/** How much to take back at once, and when it is due again. */
export interface SweepOptions {
  /** At most this many jobs in one call. */
  readonly max: number;
  /** A job whose lease passed is due again after `delay + random * jitter` ms, so that it does not drag its neighbours along. */
  readonly delay: number;
  readonly jitter: number;
}

/** What a sweep did. */
export interface SweepReport {
  /** Jobs whose lease had passed and which are due again. */
  readonly recovered: number;
}

/** Moves jobs. Every call is a batch; a single job is a batch of one. */
export interface Broker {
  /**
   * Makes jobs durable, atomically for the batch. Answers in the order given.
   *
   * With `transaction` (see `Capabilities.transactions`) the writes go through the user's own connection; drivers with a
   * synchronous client must write before returning, so that a synchronous transaction can hold them.
   */
  publish(jobs: readonly OutgoingJob[], transaction?: unknown): Promise<PublishStatus[]>;
  /** Opens a worker's hold on some queues. Nothing is delivered before its first claim. */
  consume(options: ConsumeOptions): Promise<Consumer>;
  /** Stops jobs: those that have not started are gone, active ones are announced to their consumer. Answers in the order given. */
  cancel(requests: readonly CancelRequest[]): Promise<CancelStatus[]>;
  /** Takes back jobs whose lease has passed. Called by every worker now and then; safe to call at once from many. */
  sweep(options: SweepOptions): Promise<SweepReport>;
}
