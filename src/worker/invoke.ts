import type { DeadReason } from "../contracts/index.js";
import { validateArgs, validateResult } from "../job/arguments.js";
import { runAs } from "../job/current.js";
import type { HandlerOutcome } from "../middleware/middleware.js";
import type { MiddlewareStack } from "../middleware/stack.js";
import { after, isPromise, type MaybePromise } from "../settled.js";
import type { TaskHandler } from "../task.js";
import type { RunningJob } from "./running-job.js";

/** How a handler ended; `invalid` where its arguments or its result did not fit the task's schema. */
export type Invocation = HandlerOutcome & {
  readonly invalid?: DeadReason;
  /** The instance, of a class task. */
  readonly instance?: TaskHandler;
};

/** Runs the handler with all that stands before it: middleware, then validation. A synchronous job costs no promise. */
export function invoke(job: RunningJob, middleware: MiddlewareStack): MaybePromise<Invocation> {
  let invalid: DeadReason | undefined;
  let instance: TaskHandler | undefined;
  const failed = (error: unknown): Invocation => ({
    ok: false,
    error,
    ...(invalid && { invalid }),
    ...(instance && { instance }),
  });
  try {
    const { definition } = job;
    if (definition.isClass) instance = new (definition.handler as new () => TaskHandler)();
    const value = after(middleware.preExecute(job), () => {
      invalid = "invalid-arguments";
      return after(validateArgs(definition, job.args), (args) => {
        invalid = undefined;
        return after(call(job, instance, args), (returned) => {
          invalid = "invalid-result";
          return validateResult(definition, returned);
        });
      });
    });
    return isPromise(value)
      ? Promise.resolve(value).then((done) => ({ ok: true, value: done }), failed)
      : { ok: true, value };
  } catch (error) {
    return failed(error);
  }
}

function call(job: RunningJob, instance: TaskHandler | undefined, args: readonly unknown[]): MaybePromise<unknown> {
  if (instance !== undefined) return runAs(job, (...given: never[]) => instance.handle(...given), args);
  return runAs(job, job.definition.handler as (...given: never[]) => unknown, args);
}
