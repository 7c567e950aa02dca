import { validateArgs, validateResult } from "../job/arguments.js";
import { encodeError } from "../job/codec/index.js";
import { runAs } from "../job/current.js";
import type { HandlerOutcome } from "../middleware/middleware.js";
import type { MiddlewareStack } from "../middleware/stack.js";
import { isPromise, type MaybePromise } from "../settled.js";
import type { TaskHandler } from "../task.js";
import type { RunningJob } from "./running-job.js";

/**
 * Runs the handler with all that stands before and after it: middleware, validation of the arguments, the call, validation
 * of the result. Each step goes on at once where the one before was synchronous, so a synchronous job costs no promise.
 */
export function invoke(job: RunningJob, middleware: MiddlewareStack): MaybePromise<HandlerOutcome> {
  try {
    if (job.definition.isClass) job.instance = new (job.definition.handler as new () => TaskHandler)();
    const ready = middleware.preExecute(job);
    const value = isPromise(ready) ? ready.then(() => checkAndCall(job)) : checkAndCall(job);
    return isPromise(value) ? Promise.resolve(value).then(returned, thrown) : returned(value);
  } catch (error) {
    return thrown(error);
  }
}

function returned(value: unknown): HandlerOutcome {
  return { ok: true, value };
}

function thrown(error: unknown): HandlerOutcome {
  return { ok: false, error: describable(error) };
}

/** What everybody after this may look at: a proxy that throws when it is touched would leave its job unsettled. */
function describable(error: unknown): unknown {
  try {
    encodeError(error);
    Object.getPrototypeOf(Object(error));
    return error;
  } catch {
    return new Error("the task threw something that cannot be described");
  }
}

function checkAndCall(job: RunningJob): MaybePromise<unknown> {
  job.checking = "invalid-arguments";
  const args = validateArgs(job.definition, job.args);
  return isPromise(args) ? args.then((checked) => callAndCheck(job, checked)) : callAndCheck(job, args);
}

function callAndCheck(job: RunningJob, args: readonly unknown[]): MaybePromise<unknown> {
  job.checking = undefined;
  const value = call(job, args);
  return isPromise(value) ? Promise.resolve(value).then((late) => check(job, late)) : check(job, value);
}

function call(job: RunningJob, args: readonly unknown[]): MaybePromise<unknown> {
  const { instance } = job;
  if (instance !== undefined) return runAs(job, (...given: never[]) => instance.handle(...given), args);
  return runAs(job, job.definition.handler as (...given: never[]) => unknown, args);
}

/** What a completed job's handler returns is dropped: `completeIn` has checked the result. */
function check(job: RunningJob, value: unknown): MaybePromise<unknown> {
  if (job.completion !== undefined) return value;
  job.checking = "invalid-result";
  return validateResult(job.definition, value);
}
