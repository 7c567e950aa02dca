import type { CurrentJob } from "../job/current.js";
import type { DeadLetter, Discard, Retry, Snooze } from "../job/decisions.js";
import type { OutgoingMessage } from "../job/message.js";
import type { MaybePromise } from "../settled.js";

/** The running job as middleware sees it: the arguments and labels may be replaced before the handler gets them. */
export interface ExecutingJob extends CurrentJob {
  args: readonly unknown[];
  labels: CurrentJob["labels"];
}

/** How an attempt ended for its handler. */
export type HandlerOutcome =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly error: unknown };

/** What became of the job when the attempt was settled. */
export type SavedOutcome = HandlerOutcome & {
  readonly state: "completed" | "retrying" | "dead" | "cancelled" | "scheduled";
};

/** A thrown or returned decision about an attempt. */
export type Decision = Retry | Snooze | Discard | DeadLetter;

/**
 * Hooks around sending and running, all optional, each synchronous or asynchronous. `pre` hooks run in the order of
 * `app.use`, the others in reverse, like the layers of an onion.
 *
 * A hook that throws: `preSend` fails the enqueue, `preExecute` fails the attempt (and the retry policy decides), any
 * later one is logged and changes nothing. A job is settled whatever a hook does.
 *
 * @example
 * app.use({
 *   preSend: (job) => {
 *     job.labels = { ...job.labels, host: hostname() };
 *   },
 *   onError: (job, error) => (error instanceof RateLimited ? new Retry({ delay: error.resetIn }) : undefined),
 * });
 */
export interface Middleware {
  /** Before a job is encoded. May change the message, or return another one. */
  preSend?(job: OutgoingMessage): MaybePromise<OutgoingMessage | undefined | void>;
  /** After the broker has acknowledged it. */
  postSend?(job: Readonly<OutgoingMessage>): MaybePromise<void>;
  /** Before the handler runs. May replace `job.args` and `job.labels`. */
  preExecute?(job: ExecutingJob): MaybePromise<void>;
  /** After the handler returned or threw, before the job is settled. */
  postExecute?(job: ExecutingJob, outcome: HandlerOutcome): MaybePromise<void>;
  /** After a failed attempt. A returned decision replaces the retry policy's. */
  onError?(job: ExecutingJob, error: unknown): MaybePromise<Decision | undefined | void>;
  /** After the job was settled and its outcome saved; not for a broadcast, of which nothing is. */
  postSave?(job: ExecutingJob, outcome: SavedOutcome): MaybePromise<void>;
}
