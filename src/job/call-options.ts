import { ConfigError } from "./errors.js";
import { type JobOptions, type ResolvedOptions, resolveOptions } from "./options.js";

/** What is known of a task before a call of it. */
interface Callee {
  readonly name: string;
  readonly options: ResolvedOptions;
  readonly retryOn: unknown;
}

/**
 * Lays the options of a call over those bound before it.
 *
 * @throws ConfigError for a wrong value, an unknown name, or what contradicts the task's own options.
 */
export function callOptions(callee: Callee, given: JobOptions, bound: ResolvedOptions = {}): ResolvedOptions {
  const where = `task "${callee.name}"`;
  const options = resolveOptions(given, where, bound);
  refuseContradictions({ ...callee.options, ...options, retryOn: callee.retryOn }, where);
  return options;
}

type Options = ResolvedOptions & { readonly retryOn?: unknown };

const RUNS_ONCE = "each worker runs a broadcast once, and nobody tries it again";
const NOW = "a broadcast goes to the workers that live now, and is kept for nobody";
const AT_ONCE = "a broadcast starts as soon as it is heard, before any job that waits";
const NO_RESULT = "each worker has its own result of a broadcast, and none is kept";

/** What a broadcast cannot keep its promise of: the option as it is written, whether it was chosen, and why not. */
const CONTRADICTIONS: readonly (readonly [option: string, chosen: (options: Options) => boolean, why: string])[] = [
  ["attempts above 1", ({ attempts = 1 }) => attempts > 1, RUNS_ONCE],
  ["backoff", ({ backoff }) => backoff !== undefined, RUNS_ONCE],
  ["retryOn", ({ retryOn }) => retryOn !== undefined, RUNS_ONCE],
  ['delivery "at-least-once"', ({ delivery }) => delivery === "at-least-once", RUNS_ONCE],
  ["delay or at", ({ notBefore }) => notBefore !== undefined, NOW],
  ["expires", ({ expires }) => expires !== undefined, NOW],
  ["tx", ({ tx }) => tx !== undefined, NOW],
  ["id", ({ id }) => id !== undefined, NOW],
  ["priority", ({ priority = 0 }) => priority > 0, AT_ONCE],
  ["result.keep", ({ result }) => result?.keep === true, NO_RESULT],
];

/**
 * Checks options of a task and of a call together.
 *
 * @throws ConfigError for an option that a broadcast cannot have.
 */
export function refuseContradictions(options: Options, where: string): void {
  if (options.broadcast !== true) return;
  const found = CONTRADICTIONS.find(([, chosen]) => chosen(options));
  if (found === undefined) return;
  const [option, , why] = found;
  throw new ConfigError(`${where} is broadcast and cannot have ${option}: ${why}`);
}
