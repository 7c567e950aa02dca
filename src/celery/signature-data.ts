import type { When } from "../contracts/clock.js";
import { ConfigError } from "../job/errors.js";
import type { SignatureData } from "../signature.js";
import { type Fields, optionalFields, optionalNumber, optionalText } from "./fields.js";
import { formatInstant, optionalInstant } from "./instant.js";
import { otherHeaders, ownHeaders, readOwn } from "./own.js";
import type { WireSignature } from "./signature.js";
import { plainValue } from "./values.js";

/** A signature of a task in Celery's form, as ours, and what of it has no name here. */
export interface ForeignSignature {
  readonly data: SignatureData;
  /** Takes nothing from the task before it (`si`). */
  readonly immutable: boolean;
  /** Options of Celery's own, such as `link`, `chord`, `reply_to` or stamps. */
  readonly rest: Fields;
}

/** The options of Celery's that have one of ours. */
const SHARED = [
  "task_id",
  "queue",
  "priority",
  "countdown",
  "eta",
  "expires",
  "time_limit",
  "ignore_result",
  "headers",
];

/**
 * A signature of ours as Celery's dict, for its links and canvases. Delays stay delays: they begin when it is sent.
 *
 * @throws ConfigError for arguments and options that Celery's signatures cannot carry.
 */
export function toWire({ data, immutable, rest }: ForeignSignature): WireSignature {
  const { task, args, options } = data;
  const { kwargs = {}, id, queue, priority, notBefore, expires, timeout, result } = options;
  if (options.broadcast) throw new ConfigError(`a signature of "${task}" cannot be a broadcast in Celery's protocol`);
  if (typeof options.backoff === "function")
    throw new ConfigError(`the backoff function of a signature of "${task}" cannot travel: describe it as an object`);
  const headers = { ...optionalFields(rest, "headers"), ...ownHeaders(options) };
  const named: Fields = {
    task_id: id,
    queue,
    priority,
    ...timeOf(notBefore, "countdown", "eta"),
    ...timeOf(expires, "expires", "expires"),
    time_limit: timeout === undefined ? undefined : timeout / 1000,
    ignore_result: result?.keep === false ? true : undefined,
    headers: Object.keys(headers).length === 0 ? undefined : headers,
  };
  const given = Object.fromEntries(Object.entries(named).filter(([, value]) => value !== undefined));
  return {
    task,
    args: args.map((one, at) => plainValue(one, "json", `args[${at}]`)),
    kwargs: Object.fromEntries(Object.entries(kwargs).map(([key, one]) => [key, plainValue(one, "json", key)])),
    options: { ...rest, ...given },
    subtask_type: null,
    immutable,
  };
}

/** A task's signature of Celery's as ours. Throws UnreadableError for an option of the wrong type. */
export function fromWire({ task, args, kwargs, options, immutable }: WireSignature): ForeignSignature {
  const headers = optionalFields(options, "headers") ?? {};
  const { result, ...own } = readOwn(headers);
  const [id, queue] = [optionalText(options, "task_id"), optionalText(options, "queue")];
  const [priority, limit] = [optionalNumber(options, "priority"), optionalNumber(options, "time_limit")];
  const notBefore = whenOf(options, "countdown", "eta");
  const expires = whenOf(options, "expires", "expires");
  const kept = { ...(options.ignore_result === true && { keep: false }), ...result };
  const data: SignatureData = {
    task,
    args,
    options: {
      ...own,
      ...(Object.keys(kwargs).length > 0 && { kwargs }),
      ...(id !== undefined && { id }),
      ...(queue !== undefined && { queue }),
      ...(priority !== undefined && { priority }),
      ...(notBefore !== undefined && { notBefore }),
      ...(expires !== undefined && { expires }),
      ...(limit !== undefined && { timeout: limit * 1000 }),
      ...(Object.keys(kept).length > 0 && { result: kept }),
    },
  };
  return { data, immutable, rest: restOf(options, headers) };
}

function restOf(options: Fields, headers: Fields): Fields {
  const rest = Object.entries(options).filter(([name, value]) => value !== null && !SHARED.includes(name));
  const others = otherHeaders(headers);
  return { ...Object.fromEntries(rest), ...(Object.keys(others).length > 0 && { headers: others }) };
}

/** Seconds from now, or a moment. */
function timeOf(when: When | undefined, seconds: string, moment: string): Fields {
  if (when === undefined) return {};
  return "in" in when ? { [seconds]: when.in / 1000 } : { [moment]: formatInstant(when.at) };
}

function whenOf(options: Fields, seconds: string, moment: string): When | undefined {
  const after = options[seconds];
  if (typeof after === "number") return { in: after * 1000 };
  const at = optionalInstant(options, moment);
  return at === undefined ? undefined : { at };
}
