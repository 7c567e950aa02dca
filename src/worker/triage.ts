import { suggestion } from "../config/nearest.js";
import type { DeadReason } from "../contracts/index.js";
import { CancelledError, ExpiredError, LeaseLostError, UnknownTaskError, UnreadableError } from "../job/errors.js";
import type { JobMessage } from "../job/message.js";
import type { Companion, Protocol } from "../protocol.js";
import { type AnyTask, DEFINITION } from "../task.js";
import { type JobHost, RunningJob } from "./running-job.js";
import type { TakenJob } from "./taken-job.js";

/** What a claimed job turns out to be: something to run, or something to settle unrun. */
export type Triage =
  | { readonly kind: "run"; readonly job: RunningJob }
  | { readonly kind: "later"; readonly delay: number; readonly task: string }
  | { readonly kind: "park"; readonly reason: DeadReason; readonly error: Error; readonly task: string }
  | { readonly kind: "cancel"; readonly error: Error; readonly task: string };

export interface TriageOptions {
  readonly host: JobHost;
  readonly protocol: Protocol;
  /** After this many lost leases a job is not run again. */
  readonly poisonLimit: number;
  /** Tasks of the protocol's own. */
  readonly builtins?: ReadonlyMap<string, AnyTask> | undefined;
  /** Speaks for the worker in a foreign protocol, and may hold jobs back. */
  readonly companion?: Companion | undefined;
}

/**
 * Sorts out what must not run: what expired, what cannot be read or is unknown here, and what has used up its attempts or
 * its lost leases, since a worker that dies settles nothing and the next claim is the first to know. Each is parked once,
 * with its reason and its raw bytes.
 */
export function triage(claimed: TakenJob, { host, protocol, poisonLimit, builtins, companion }: TriageOptions): Triage {
  let message: JobMessage;
  try {
    message = protocol.decode(claimed);
  } catch (error) {
    if (!(error instanceof UnreadableError)) throw error;
    return { kind: "park", reason: "unreadable", error, task: "?" };
  }
  const { task } = message;
  if (claimed.expired || isOver(message, host)) return { kind: "cancel", error: new ExpiredError(), task };
  const definition = (host.tasks.get(task) ?? builtins?.get(task))?.[DEFINITION];
  if (definition?.handler === undefined)
    return { kind: "park", reason: "unknown-task", error: unknown(task, host), task };
  const early = message.notBefore === undefined ? 0 : message.notBefore - host.clock.now();
  if (early > 0) return { kind: "later", delay: early, task };
  const admitted = companion?.admit(claimed, task) ?? 0;
  if (admitted === "revoked") return { kind: "cancel", error: new CancelledError("revoked"), task };
  if (admitted > 0) return { kind: "later", delay: admitted, task };
  const job = new RunningJob(claimed, message, definition, host);
  if (claimed.losses < poisonLimit && job.attempt <= job.attempts) return { kind: "run", job };
  return { kind: "park", reason: "lease-lost", error: poison(claimed.losses, job), task };
}

function unknown(task: string, host: JobHost): UnknownTaskError {
  const names = [...host.tasks.keys()];
  return new UnknownTaskError(`this worker has no task "${task}"${suggestion(task, names)}`);
}

function isOver({ expiresAt }: JobMessage, { clock }: JobHost): boolean {
  return expiresAt !== undefined && expiresAt <= clock.now();
}

function poison(losses: number, { attempt, attempts }: RunningJob): LeaseLostError {
  const times = losses === 1 ? "once" : `${losses} times`;
  const used = attempt > attempts ? ` and has no attempt left of ${attempts}` : "";
  return new LeaseLostError(`the job lost its worker ${times}${used}: it may be what kills workers`);
}
