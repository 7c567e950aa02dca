import { suggestion } from "../config/nearest.js";
import type { DeadReason } from "../contracts/index.js";
import type { Codec } from "../job/codec/index.js";
import { ExpiredError, LeaseLostError, UnknownTaskError, UnreadableError } from "../job/errors.js";
import { decodeMessage, type JobMessage } from "../job/message.js";
import { DEFINITION } from "../task.js";
import { type JobHost, RunningJob } from "./running-job.js";
import type { TakenJob } from "./taken-job.js";

/** What a claimed job turns out to be: something to run, or something to settle unrun. */
export type Triage =
  | { readonly kind: "run"; readonly job: RunningJob }
  | { readonly kind: "park"; readonly reason: DeadReason; readonly error: Error; readonly task: string }
  | { readonly kind: "cancel"; readonly error: Error; readonly task: string };

export interface TriageOptions {
  readonly host: JobHost;
  readonly codec: Codec;
  /** After this many lost leases a job is not run again. */
  readonly poisonLimit: number;
}

/**
 * Sorts out what must not run: what expired, what cannot be read or is unknown here, and what has used up its attempts or
 * its lost leases, since a worker that dies settles nothing and the next claim is the first to know. Each is parked once,
 * with its reason and its raw bytes.
 */
export function triage(claimed: TakenJob, { host, codec, poisonLimit }: TriageOptions): Triage {
  let message: JobMessage;
  try {
    message = decodeMessage(claimed.body, codec);
  } catch (error) {
    if (!(error instanceof UnreadableError)) throw error;
    return { kind: "park", reason: "unreadable", error, task: "?" };
  }
  const { task } = message;
  if (claimed.expired) return { kind: "cancel", error: new ExpiredError(), task };
  const definition = host.tasks.get(task)?.[DEFINITION];
  if (definition?.handler === undefined)
    return { kind: "park", reason: "unknown-task", error: unknown(task, host), task };
  const job = new RunningJob(claimed, message, definition, host);
  if (claimed.losses < poisonLimit && claimed.attempt <= job.attempts) return { kind: "run", job };
  return { kind: "park", reason: "lease-lost", error: poison(claimed, job.attempts), task };
}

function unknown(task: string, host: JobHost): UnknownTaskError {
  const names = [...host.tasks.keys()];
  return new UnknownTaskError(`this worker has no task "${task}"${suggestion(task, names)}`);
}

function poison({ losses, attempt }: TakenJob, attempts: number): LeaseLostError {
  const times = losses === 1 ? "once" : `${losses} times`;
  const used = attempt > attempts ? ` and has no attempt left of ${attempts}` : "";
  return new LeaseLostError(`the job lost its worker ${times}${used}: it may be what kills workers`);
}
