import type { ClaimedJob, Envelope, OutcomeRecord, OutgoingJob } from "./contracts/index.js";
import type { Events } from "./events.js";
import type { Codec, ErrorRegistry } from "./job/codec/index.js";
import type { HistoryEntry } from "./job/history.js";
import { decodeMessage, encodeMessage, type JobMessage, type OutgoingMessage } from "./job/message.js";
import { completedOutcome, decodeOutcome, failedOutcome, type Outcome, type OutcomeFields } from "./job/outcome.js";
import type { Route } from "./route.js";
import type { AnyTask } from "./task.js";
import type { RunningJob } from "./worker/running-job.js";

/** How an attempt ended, for what its protocol has to do about it. */
export type AttemptEnd =
  | { readonly kind: "completed"; readonly value: unknown }
  | { readonly kind: "retry"; readonly error: unknown; readonly delay: number }
  | { readonly kind: "dead" | "cancelled"; readonly error: unknown };

/** What has to be done before an attempt is settled, such as sending the next step of a workflow. May be repeated. */
export type Before = () => Promise<void>;

/** A worker, for those who speak for it. */
export interface WorkerView {
  readonly id: string;
  readonly queues: readonly string[];
  readonly concurrency: number;
  readonly events: Events;
  /** Handlers that run. */
  active(): Iterable<RunningJob>;
  /** Jobs in hand that have not started. */
  reserved(): Iterable<ClaimedJob>;
  /** Tells a job in hand to stop. */
  cancel(id: string): void;
  /** Ends the worker in order. */
  stop(): void;
}

/** What a protocol does beside a worker, such as to obey remote control. */
export interface Companion {
  start(): Promise<void>;
  /** Whether a job may start: at once (0), after so many ms, or never. */
  admit(claimed: ClaimedJob, task: string): number | "revoked";
  close(): Promise<void>;
}

/**
 * How jobs and outcomes are written, and what their ends lead to. The native protocol is taskwright's own; others are
 * somebody else's, and what they put beside a body is in `Envelope.headers`.
 */
export interface Protocol {
  readonly name: "taskwright" | "celery";
  /** Where jobs go when neither call, task nor setting names a queue, if not to the setting's default. */
  readonly defaultQueue?: string;
  /**
   * Throws ConfigError where an argument or option cannot be sent.
   *
   * @param replyTo - Where this process waits for outcomes, with a backend that answers callers.
   */
  encode(message: OutgoingMessage, replyTo?: string): OutgoingJob;
  /** Throws UnreadableError for whatever is not a message of this protocol. */
  decode(envelope: Envelope): JobMessage;
  /** Throws ConfigError where the value cannot be sent. */
  completed(fields: OutcomeFields, value: unknown, claimed: ClaimedJob): OutcomeRecord;
  /** @param claimed - Absent for a job that was cancelled before anybody claimed it. */
  failed(
    fields: OutcomeFields,
    state: "dead" | "cancelled",
    error: unknown,
    history: readonly HistoryEntry[],
    maxBytes?: number,
    claimed?: ClaimedJob,
  ): OutcomeRecord;
  /** Throws UnreadableError. */
  readOutcome(kept: OutcomeRecord): Outcome;
  /** What is put back for another attempt, where attempts are counted in the message itself. */
  again?(claimed: ClaimedJob, delay: number): OutgoingJob | undefined;
  /** Tells that an attempt starts. Never throws. */
  started?(claimed: ClaimedJob, route: Route, worker: string): void;
  /** Asks for the job to stop, where the broker cannot look for it. */
  cancel?(id: string, route: Route): Promise<"requested">;
  /** Speaks for a worker, where the route can carry it. */
  accompany?(worker: WorkerView, route: Route): Companion | undefined;
  /** Tasks that its workers have beside those of the app, which are stronger. */
  tasks?(route: Route): ReadonlyMap<string, AnyTask>;
  /** What has to be done before the attempt is settled. Throws ConfigError for what cannot be sent. */
  before?(claimed: ClaimedJob, end: AttemptEnd, route: Route): Before | undefined;
}

/** taskwright's own protocol, in the app's codec. */
export function nativeProtocol(codec: Codec, errors: ErrorRegistry): Protocol {
  return {
    name: "taskwright",
    encode: (message) => encodeMessage(message, codec),
    decode: ({ body }) => decodeMessage(body, codec),
    completed: (fields, value) => completedOutcome(fields, value, codec),
    failed: (fields, state, error, history, maxBytes) => failedOutcome(fields, state, error, history, codec, maxBytes),
    readOutcome: (kept) => decodeOutcome(kept, codec, errors),
  };
}
