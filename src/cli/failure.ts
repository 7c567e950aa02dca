import { maskSecrets } from "../config/mask.js";
import {
  BrokerError,
  ConfigError,
  SchemaError,
  TaskwrightError,
  UnknownTaskError,
  ValidationError,
} from "../job/errors.js";
import type { Terminal } from "./terminal.js";

/** What the process ends with. Part of the interface: scripts rely on them. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  unreachable: 3,
  notFound: 4,
  schema: 5,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** For `--help` and the documentation. */
export const EXIT_CODES: readonly (readonly [code: string, meaning: string])[] = [
  ["0", "done"],
  ["1", "it failed: a job's error, or something that doctor found"],
  ["2", "wrong usage: an unknown flag, a wrong value or setting"],
  ["3", "the broker or backend cannot be reached"],
  ["4", "no such module, app, task, job or queue"],
  ["5", "the database's schema is missing, older or newer than this version needs: taskwright migrate"],
  ["130, 143", "a second SIGINT or SIGTERM ended a worker before its jobs were done"],
];

/** Something that a person did wrong or must know. Printed as one line, never with a stack trace. */
export class CliError extends Error {
  readonly exitCode: ExitCode;
  constructor(message: string, exitCode: ExitCode = EXIT.usage, options?: ErrorOptions) {
    super(message, options);
    this.name = "CliError";
    this.exitCode = exitCode;
  }
}

/** The exit code that an error stands for. */
export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof CliError) return error.exitCode;
  if (error instanceof BrokerError) return EXIT.unreachable;
  if (error instanceof SchemaError) return EXIT.schema;
  if (error instanceof UnknownTaskError) return EXIT.notFound;
  if (error instanceof ConfigError || error instanceof ValidationError) return EXIT.usage;
  return EXIT.failed;
}

/** One line for a mistake or an outage. The stack comes with `--debug`, or where the error is nobody's mistake. */
export function printFailure(error: unknown, terminal: Terminal, debug: boolean): void {
  const { red, dim } = terminal.errorStyle;
  terminal.printError(`${red("error:")} ${maskSecrets(describe(error))}`);
  if (debug) terminal.printError(dim(maskSecrets(stackOf(error))));
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof CliError || error instanceof TaskwrightError) return oneLine(error.message);
  return `${error.name}: ${oneLine(error.message)} (--debug shows where)`;
}

function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, " ");
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return "";
  const cause = error.cause === undefined ? "" : `\ncaused by ${stackOf(error.cause) || String(error.cause)}`;
  return `${error.stack ?? error.message}${cause}`;
}
