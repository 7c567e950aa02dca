/** A terminal state of a job. */
export type TerminalState = "completed" | "dead" | "cancelled";

/** How a job ended, as a backend keeps it. */
export interface OutcomeRecord {
  readonly id: string;
  readonly state: TerminalState;
  /** The attempt that ended it. A backend ignores an outcome older than the one it has. */
  readonly attempt: number;
  /** The encoded value or error, times and attempts. Opaque to drivers. */
  readonly body: Uint8Array;
  /** Milliseconds to keep it, from when it is stored. Absent: until forgotten. */
  readonly ttl?: number;
  /** Who asked for it, where the protocol's callers say so. Only backends that answer callers look at it. */
  readonly answer?: Answer;
}

/** Where a caller waits for the outcome of its job (Celery's `reply_to` and `correlation_id`). */
export interface Answer {
  readonly queue: string;
  readonly correlationId: string;
  /** Whether the answer survives a restart of the server, where the queue does. */
  readonly persistent: boolean;
}

/** What a running job told about itself. */
export interface Report {
  readonly id: string;
  /** The newest progress value, encoded. Absent: unchanged. */
  readonly progress?: Uint8Array;
  /** Lines to append to the job's log. */
  readonly log?: readonly string[];
  /** Milliseconds to keep it after the last report. */
  readonly ttl: number;
}

/** A job's reports so far. */
export interface ReportRecord {
  readonly progress?: Uint8Array;
  /** Counts progress reports, so that a reader knows whether there is a new one. */
  readonly version: number;
  readonly log: readonly string[];
}

/** Keeps outcomes and reports. Every call is a batch. */
export interface ResultBackend {
  /** Where jobs say that this process waits for their outcomes. Absent: outcomes are kept, and read by whoever wants to. */
  readonly replyTo?: string;
  /** Keeps outcomes. One that is older than the one already there, by its attempt, is ignored. */
  store(outcomes: readonly OutcomeRecord[]): Promise<void>;
  /** Answers in the order given; `undefined` where there is none, or it has expired. */
  read(ids: readonly string[]): Promise<(OutcomeRecord | undefined)[]>;
  /** Deletes outcomes and reports, and answers how many of the outcomes existed. */
  forget(ids: readonly string[]): Promise<number>;
  /**
   * Tells of jobs that have not ended, where the protocol has states for it (Celery's STARTED and RETRY). Until an outcome
   * is stored, `read` finds nothing for them. Absent in all others.
   */
  mark?(states: readonly Pick<OutcomeRecord, "id" | "body" | "ttl" | "answer">[]): Promise<void>;
  /** Adds to what jobs told about themselves. */
  report(reports: readonly Report[]): Promise<void>;
  /** What a job told so far, if anything that has not expired. */
  readReport(id: string): Promise<ReportRecord | undefined>;
  /** Deletes what has expired, up to `max`, and answers how many. Called now and then by workers. */
  sweep(max: number): Promise<number>;
}
