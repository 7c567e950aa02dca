import { after, type MaybePromise } from "../settled.js";
import type { TaskDefinition } from "../task.js";
import { ValidationError } from "./errors.js";
import { validate } from "./validation.js";

/**
 * Checks arguments against the task's schema, and answers them as the schema converts them.
 *
 * @throws ValidationError where they do not fit.
 */
export function validateArgs(
  { name, schemas }: TaskDefinition,
  args: readonly unknown[],
): MaybePromise<readonly unknown[]> {
  const what = (): string => `the arguments of task "${name}"`;
  if (schemas.args !== undefined) return validate(schemas.args, args, what()) as MaybePromise<readonly unknown[]>;
  if (schemas.input === undefined) return args;
  if (args.length > 1) throw new ValidationError(`${what()} must be one, not ${args.length}`, []);
  return after(validate(schemas.input, args[0], what()), (input) => [input]);
}

/**
 * Checks what the handler returned, and answers it as the schema converts it.
 *
 * @throws ValidationError where it does not fit.
 */
export function validateResult({ name, schemas }: TaskDefinition, value: unknown): MaybePromise<unknown> {
  return schemas.output === undefined ? value : validate(schemas.output, value, `the result of task "${name}"`);
}
