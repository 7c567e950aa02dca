import { InvalidArgumentError } from "commander";
import { CliError } from "./failure.js";

/** An argument of a task as typed: JSON where it is, else the text itself. */
export function parseArgument(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!/^\s*[[{"]/.test(text)) return text;
    throw new CliError(`the argument ${text} looks like JSON but is not: ${messageOf(error)}`);
  }
}

/** `--args '[1, 2]'`. */
export function parseList(text: string): unknown[] {
  const value = parseJson(text, "--args");
  if (Array.isArray(value)) return value;
  throw new InvalidArgumentError(`It must be a JSON list such as '[1, "two"]'.`);
}

/** `--kwargs '{"a": 1}'`. */
export function parseRecord(text: string): Record<string, unknown> {
  const value = parseJson(text, "--kwargs");
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return { ...value };
  throw new InvalidArgumentError(`It must be a JSON object such as '{"a": 1}'.`);
}

/** `--label tenant=a --label tries=3`, gathered. Values are JSON where they are, else text. */
export function parseLabel(
  text: string,
  earlier: Readonly<Record<string, string | number | boolean | null>> = {},
): Readonly<Record<string, string | number | boolean | null>> {
  const at = text.indexOf("=");
  if (at <= 0) throw new InvalidArgumentError("It must be a name and a value, such as tenant=a.");
  return { ...earlier, [text.slice(0, at)]: labelValue(text.slice(at + 1)) };
}

function labelValue(text: string): string | number | boolean | null {
  try {
    const value: unknown = JSON.parse(text);
    if (value === null || ["number", "boolean", "string"].includes(typeof value))
      return value as string | number | boolean | null;
  } catch {
    // Not JSON: the text as it stands.
  }
  return text;
}

/** A moment: ISO 8601, taken as local time where it names no zone. */
export function parseInstant(text: string): Date {
  const date = new Date(text);
  if (Number.isNaN(date.getTime())) throw new InvalidArgumentError("It must be a time such as 2027-01-01T08:00:00Z.");
  return date;
}

/** A whole number from `min`. */
export function parseInteger(min: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value >= min) return value;
    throw new InvalidArgumentError(`It must be a whole number of at least ${min}.`);
  };
}

/** Gathers an option that may be repeated. */
export function collect(text: string, earlier: readonly string[] = []): readonly string[] {
  return [...earlier, text];
}

function parseJson(text: string, flag: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new CliError(`${flag} is not valid JSON: ${messageOf(error)}`);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
