import { ConfigError } from "../errors.js";

/** A step of a path: an index, a property, or words for a member of a collection. */
export type Step = number | string | { readonly text: string };

/** Why a value cannot be sent. `path` leads to it from the whole. */
export class NotSendable extends Error {
  constructor(
    readonly path: readonly Step[],
    readonly problem: string,
  ) {
    super(problem);
  }

  /** @param names What the elements of the whole are called. */
  toConfigError(names: readonly string[] = []): ConfigError {
    return new ConfigError(`${formatPath(this.path, names)} ${this.problem}`);
  }
}

const IDENTIFIER = /^[A-Za-z_$][\w$]*$/;
const MAX_STEPS = 12;

/** `[1, 0, "onDone"]` is `args[0].onDone` where the element 1 of the whole is called `args`, and else `value[1][0].onDone`. */
function formatPath(path: readonly Step[], names: readonly string[]): string {
  const [first] = path;
  const name = typeof first === "number" ? names[first] : undefined;
  const steps = name === undefined ? path : path.slice(1);
  const text = steps.slice(0, MAX_STEPS).map(formatStep).join("");
  return `${name ?? "value"}${text}${steps.length > MAX_STEPS ? "…" : ""}`;
}

function formatStep(step: Step): string {
  if (typeof step === "number") return `[${step}]`;
  if (typeof step === "object") return step.text;
  return IDENTIFIER.test(step) ? `.${step}` : `[${JSON.stringify(step)}]`;
}
