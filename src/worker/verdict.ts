import type { DeadReason, Random } from "../contracts/index.js";
import { backoffDelay } from "../job/backoff.js";
import { DeadLetter, Discard, Retry, Snooze } from "../job/decisions.js";
import { parseDuration } from "../job/duration.js";
import { CancelledError, LeaseLostError, ShutdownError } from "../job/errors.js";
import type { RetryOn } from "../task.js";
import type { RunningJob } from "./running-job.js";

/** What is to become of a job whose attempt did not return. */
export type Verdict =
  | { readonly kind: "retry"; readonly delay: number; readonly error: unknown }
  | { readonly kind: "release"; readonly delay: number }
  | { readonly kind: "cancelled"; readonly error: Error }
  | { readonly kind: "dead"; readonly reason: DeadReason; readonly error: unknown }
  | { readonly kind: "lost" };

/**
 * Decides about a failed attempt, in this order: why the job was told to stop, what the handler (or middleware) decided,
 * and the task's retry policy. An attempt is only granted where one is left, so `attempts: n` is n runs, never more.
 *
 * @param error - What was thrown; a decision counts as one.
 */
export function verdictOn(job: RunningJob, error: unknown, random: Random): Verdict {
  const stopped = job.abortReason;
  if (stopped instanceof LeaseLostError) return { kind: "lost" };
  if (stopped instanceof ShutdownError) return { kind: "release", delay: 0 };
  if (stopped instanceof CancelledError) return { kind: "cancelled", error: stopped };
  if (error instanceof Snooze) return { kind: "release", delay: parseDuration(error.delay, "the delay of Snooze") };
  if (error instanceof Discard) return { kind: "cancelled", error: new CancelledError(error.message) };
  if (error instanceof DeadLetter) return { kind: "dead", reason: "rejected", error };
  if (job.attempt >= job.attempts) return { kind: "dead", reason: "failed", error };
  if (error instanceof Retry) return { kind: "retry", delay: retryDelay(job, error, random), error };
  if (!isRetryable(job, error)) return { kind: "dead", reason: "failed", error };
  return { kind: "retry", delay: backoffDelay(job.backoff, job.attempt, error, random), error };
}

function retryDelay(job: RunningJob, { delay, cause }: Retry, random: Random): number {
  if (delay !== undefined) return parseDuration(delay, "the delay of Retry");
  return backoffDelay(job.backoff, job.attempt, cause, random);
}

function isRetryable(job: RunningJob, error: unknown): boolean {
  if (job.instance?.shouldRetry !== undefined) return job.instance.shouldRetry(toError(error), job.attempt);
  const { retryOn } = job.definition;
  return retryOn === undefined || matches(retryOn, error, job.attempt);
}

function matches(retryOn: RetryOn, error: unknown, attempt: number): boolean {
  if (Array.isArray(retryOn)) return retryOn.some((one: RetryOn) => matches(one, error, attempt));
  if (typeof retryOn !== "function") return false;
  if (isErrorClass(retryOn)) return error instanceof retryOn;
  return retryOn(error, attempt);
}

function isErrorClass(candidate: unknown): candidate is abstract new (...args: never[]) => Error {
  if (typeof candidate !== "function") return false;
  return candidate === Error || candidate.prototype instanceof Error;
}

/** What was thrown, as an error. */
export function toError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown), { cause: thrown });
}
