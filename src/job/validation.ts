import type { StandardSchemaV1 } from "@standard-schema/spec";
import { ConfigError, ValidationError, type ValidationIssue } from "./errors.js";

/**
 * Checks a value against a schema of any library that follows Standard Schema (zod, valibot, arktype and others).
 *
 * @param what What the value is, such as `'the arguments of task "add"'`; the error's message starts with it.
 * @returns The value as the schema converts it; a promise only where the schema answers with one.
 * @throws {ValidationError} with all issues, and the first three in its message. Rejects with it where the schema is asynchronous.
 *
 * @example
 * const age = await validate(z.number().min(0), input, "the age");
 */
export function validate<Schema extends StandardSchemaV1>(
  schema: Schema,
  value: unknown,
  what: string,
): StandardSchemaV1.InferOutput<Schema> | Promise<StandardSchemaV1.InferOutput<Schema>> {
  const result = schema["~standard"].validate(value);
  return result instanceof Promise ? result.then((settled) => accept(settled, what)) : accept(result, what);
}

/**
 * Like {@link validate}, for a schema that must answer at once.
 *
 * @throws {ConfigError} when the schema is asynchronous.
 */
export function validateSync<Schema extends StandardSchemaV1>(
  schema: Schema,
  value: unknown,
  what: string,
): StandardSchemaV1.InferOutput<Schema> {
  const result = schema["~standard"].validate(value);
  if (!(result instanceof Promise)) return accept(result, what);
  // Nobody will look at how it ends.
  result.catch(() => {});
  throw new ConfigError(`${what} cannot be checked here: its schema is asynchronous`);
}

function accept<Output>(result: StandardSchemaV1.Result<Output>, what: string): Output {
  if (result.issues === undefined) return result.value;
  const issues = result.issues.map(({ message, path }) => ({ message, path: joinPath(path ?? []) }));
  throw new ValidationError(describe(issues, what), issues);
}

function joinPath(path: NonNullable<StandardSchemaV1.Issue["path"]>): string {
  return path.map((segment) => String(typeof segment === "object" ? segment.key : segment)).join(".");
}

const SHOWN = 3;

/** `validation failed for the arguments of task "mail.send": 0.email: Invalid email; 1: Required; and 2 more`, in one line. */
function describe(issues: readonly ValidationIssue[], what: string): string {
  const shown = issues.slice(0, SHOWN).map(({ path, message }) => {
    const line = message.replace(/\s+/g, " ").trim();
    return path === "" || line.startsWith(path) ? line : `${path}: ${line}`;
  });
  const more = issues.length > SHOWN ? `; and ${issues.length - SHOWN} more` : "";
  return `validation failed for ${what}: ${shown.join("; ")}${more}`;
}
