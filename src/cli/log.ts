import { inspect } from "node:util";
import { maskField, maskSecrets } from "../config/mask.js";
import type { Settings } from "../config/resolve.js";
import type { Logger } from "../contracts/index.js";
import { plain } from "./table.js";
import type { Style } from "./terminal.js";

type Level = "debug" | "info" | "warn" | "error";
const LEVELS: readonly string[] = ["debug", "info", "warn", "error", "silent"];

/** How and where a worker's log goes. */
export interface LogOptions {
  readonly level: Settings["logLevel"];
  readonly format: Settings["logFormat"];
  readonly style: Style;
  /** Add the stacks of errors to pretty lines. JSON lines always have them. */
  readonly stacks: boolean;
  readonly write: (text: string) => void;
}

/** A logger whose lines are written once a turn of the event loop, and at the latest by `flush`. */
export interface LineLogger extends Logger {
  enabled(level: Level): boolean;
  flush(): void;
}

/**
 * Writes one line a call: for people, or as JSON. Lines of one turn of the event loop are written together, because one
 * write for each job would cost more than the job.
 */
export function createLogger(options: LogOptions): LineLogger {
  const least = LEVELS.indexOf(options.level);
  const format = options.format === "json" ? jsonLine : prettyLine;
  let lines: string[] = [];
  const flush = (): void => {
    if (lines.length === 0) return;
    options.write(lines.join(""));
    lines = [];
  };
  const log = (level: Level) => (fields: object, message: string) => {
    if (LEVELS.indexOf(level) < least) return;
    if (lines.length === 0) setImmediate(flush);
    lines.push(`${format(level, fields, message, options)}\n`);
  };
  return {
    debug: log("debug"),
    info: log("info"),
    warn: log("warn"),
    error: log("error"),
    enabled: (level) => LEVELS.indexOf(level) >= least,
    flush,
  };
}

function jsonLine(level: Level, fields: object, message: string): string {
  return JSON.stringify({ time: new Date().toISOString(), level, message, ...fields }, jsonField);
}

/** Masks each text by itself: masking the finished line could remove a quote that the JSON needs. */
function jsonField(name: string, value: unknown): unknown {
  if (typeof value === "string") return maskField(name, value);
  if (typeof value === "bigint") return value.toString();
  if (value instanceof Error)
    return { name: value.name, message: value.message, stack: value.stack, cause: value.cause };
  return value;
}

const LABELS: Readonly<Record<Level, string>> = { debug: "DEBUG", info: "INFO ", warn: "WARN ", error: "ERROR" };

function prettyLine(level: Level, fields: object, message: string, { style, stacks }: LogOptions): string {
  const paint = { debug: style.dim, info: style.green, warn: style.yellow, error: style.red }[level];
  const time = new Date().toTimeString().slice(0, 8);
  const pairs = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => ` ${style.dim(`${name}=`)}${showValue(value)}`);
  const stack = stacks ? stackOf(fields) : "";
  return maskSecrets(`${style.dim(time)} ${paint(LABELS[level])} ${plain(message)}${pairs.join("")}${stack}`);
}

function showValue(value: unknown): string {
  if (value instanceof Error) return JSON.stringify(plain(`${value.name}: ${value.message}`));
  if (typeof value === "string") return /^[\w.:/@+-]+$/.test(value) ? value : JSON.stringify(plain(value));
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) return plain(value.join(","));
  return plain(inspect(value, { breakLength: Number.POSITIVE_INFINITY, depth: 3 }));
}

function stackOf(fields: object): string {
  const error = Object.values(fields).find((value) => value instanceof Error);
  return error?.stack === undefined ? "" : `\n${plain(error.stack)}`;
}
