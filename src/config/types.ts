import type { Driver } from "../contracts/index.js";
import { type Backoff, validateBackoff } from "../job/backoff.js";
import { type Duration, parseDuration } from "../job/duration.js";
import { ConfigError } from "../job/errors.js";
import { isRecord } from "../job/is-record.js";
import { maskSecrets } from "./mask.js";
import { unknownKey } from "./nearest.js";

/** Reads one kind of value: from code or a file as it is, from the environment or a flag as text. */
export interface SettingType<Input, Output> {
  /** What a right value is, to follow "must be". */
  readonly expected: string;
  /** How `--help` shows the value, such as `<duration>`. */
  readonly placeholder: string;
  /** Validates. `name` is the subject of the error's sentence. Throws ConfigError. */
  parse(value: unknown, name: string): Output;
  /** What text stands for, to be validated by `parse` afterwards. */
  fromText(text: string): unknown;
  /** Carries the input type; never present at run time. */
  readonly input?: Input;
}

/** A queue and its share of the worker's attention, where the order is `"weighted"`. */
export interface QueueShare {
  readonly name: string;
  readonly weight: number;
}

/** Queues in the order in which to drain them, or with their weights. */
export type QueuesInput = readonly string[] | Readonly<Record<string, number>>;

const asIs = (text: string): unknown => text;

/** Says what is wrong with a value. Secrets in it are masked. */
function wrongValue(name: string, expected: string, value: unknown): ConfigError {
  return new ConfigError(`${name} must be ${expected}, not ${show(value)}`);
}

function show(value: unknown): string {
  if (typeof value === "function") return "a function";
  const shown = maskSecrets(JSON.stringify(value) ?? String(value));
  return shown.length > 80 ? `${shown.slice(0, 77)}...` : shown;
}

/** One of a few words. */
export function choice<const Word extends string>(...words: readonly Word[]): SettingType<Word, Word> {
  const quoted = words.map((word) => `"${word}"`);
  const expected = `${quoted.slice(0, -1).join(", ")} or ${quoted.at(-1)}`;
  return {
    expected,
    placeholder: `<${words.join("|")}>`,
    fromText: asIs,
    parse(value, name) {
      const found = words.find((word) => word === value);
      if (found === undefined) throw wrongValue(name, expected, value);
      return found;
    },
  };
}

/** A whole number in a range. */
export function integer(min: number, max = Number.MAX_SAFE_INTEGER): SettingType<number, number> {
  const expected =
    max === Number.MAX_SAFE_INTEGER ? `a whole number of at least ${min}` : `a whole number from ${min} to ${max}`;
  return {
    expected,
    placeholder: "<number>",
    fromText: (text) => (/^\s*[+-]?\d+\s*$/.test(text) ? Number(text) : text),
    parse(value, name) {
      if (typeof value === "number" && Number.isSafeInteger(value) && value >= min && value <= max) return value;
      throw wrongValue(name, expected, value);
    },
  };
}

const WORDS: Readonly<Record<string, boolean>> = { true: true, yes: true, 1: true, false: false, no: false, 0: false };

export const flag: SettingType<boolean, boolean> = {
  expected: "true or false",
  placeholder: "<true|false>",
  fromText: (text) => WORDS[text.toLowerCase()] ?? text,
  parse(value, name) {
    if (typeof value === "boolean") return value;
    throw wrongValue(name, flag.expected, value);
  },
};

/** Queue names and such: any text but none. */
export const name: SettingType<string, string> = {
  expected: "a name of 1 to 255 characters",
  placeholder: "<name>",
  fromText: asIs,
  parse(value, label) {
    if (typeof value === "string" && value.trim() !== "" && value.length <= 255) return value;
    throw wrongValue(label, name.expected, value);
  },
};

/** A time of at least `min` ms: as a number of them, or text such as `"10s"`. Ms in the settings. */
export function duration(min = 0): SettingType<Duration, number> {
  const expected = `a duration such as 500 (ms), "10s" or "5m"${min > 0 ? ` of at least ${min} ms` : ""}`;
  return {
    expected,
    placeholder: "<duration>",
    fromText: (text) => (/^\s*\d+(\.\d+)?\s*$/.test(text) ? Number(text) : text),
    parse(value, label) {
      if (typeof value !== "number" && typeof value !== "string") throw wrongValue(label, expected, value);
      const ms = parseDuration(value as Duration, label);
      if (ms < min) throw wrongValue(label, expected, value);
      return ms;
    },
  };
}

/** The same, or `"none"`, which a stronger layer needs to undo a weaker one's value. */
export function optional<Input, Output>(
  type: SettingType<Input, Output>,
): SettingType<Input | "none", Output | undefined> {
  return {
    expected: `${type.expected}, or "none"`,
    placeholder: type.placeholder,
    fromText: (text) => (text === "none" ? text : type.fromText(text)),
    parse: (value, label) => (value === "none" ? undefined : type.parse(value, label)),
  };
}

export const backoff: SettingType<Backoff, Backoff> = {
  expected: 'a duration such as "10s", or a policy such as {"type":"exponential","delay":"1s","max":"5m"}',
  placeholder: "<duration|json>",
  fromText: parseJson,
  parse: validateBackoff,
};

/** Durations are no JSON, and stay text. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Where jobs or results live: a URL whose scheme names the driver, or a driver. */
export const place: SettingType<string | Driver, string | Driver> = {
  expected: 'a URL such as "sqlite:./taskwright.db" or "redis://localhost:6379", or a driver',
  placeholder: "<url>",
  fromText: asIs,
  parse(value, label) {
    if (typeof value === "string" && /^[a-z][a-z0-9+.-]*:/i.test(value)) return value;
    if (isDriver(value)) return value;
    throw wrongValue(label, place.expected, value);
  },
};

function isDriver(value: unknown): value is Driver {
  return typeof value === "object" && value !== null && "connect" in value && typeof value.connect === "function";
}

/** Where the jobs of one queue are, as far as that differs from the app's. */
export interface QueuePlace {
  readonly protocol?: "taskwright" | "celery";
  readonly broker?: string | Driver;
  readonly backend?: string | Driver;
}

/** Places by queue. */
export type QueuePlaces = Readonly<Record<string, QueuePlace>>;

export const queuePlaces: SettingType<QueuePlaces, QueuePlaces> = {
  expected: 'places by queue, such as {"celery":{"protocol":"celery","broker":"redis://localhost"}}',
  placeholder: "<json>",
  fromText: parseJson,
  parse(value, label) {
    if (!isRecord(value)) throw wrongValue(label, queuePlaces.expected, value);
    const entries = Object.entries(value);
    return Object.fromEntries(entries.map(([queue, one]) => [queue, toQueuePlace(one, `${label}["${queue}"]`)]));
  },
};

function toQueuePlace(value: unknown, label: string): QueuePlace {
  if (!isRecord(value)) throw wrongValue(label, "an object with protocol, broker or backend", value);
  const { protocol, broker, backend, ...others } = value;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined)
    throw new ConfigError(unknownKey("setting", unknown, ["protocol", "broker", "backend"], label));
  return {
    ...(protocol !== undefined && { protocol: choice("taskwright", "celery").parse(protocol, `${label}.protocol`) }),
    ...(broker !== undefined && { broker: place.parse(broker, `${label}.broker`) }),
    ...(backend !== undefined && { backend: place.parse(backend, `${label}.backend`) }),
  };
}

export const queues: SettingType<QueuesInput, readonly QueueShare[]> = {
  expected: 'a list of queue names such as "mail,default", or names with weights from 1 such as "mail=5,default=1"',
  placeholder: "<names>",
  fromText: (text) => text.split(",").map((part) => part.trim()),
  parse(value, label) {
    const shares = Array.isArray(value) ? value.map(toShare) : fromRecord(value);
    if (shares === undefined || shares.length === 0 || shares.some(isWrong))
      throw wrongValue(label, queues.expected, value);
    const repeated = shares.find((share, index) => shares.findIndex((other) => other.name === share.name) !== index);
    if (repeated) throw new ConfigError(`${label} names the queue "${repeated.name}" twice`);
    return shares;
  },
};

/** `"mail"`, or `"mail=5"` where the text came from a flag or the environment. */
function toShare(entry: unknown): QueueShare {
  if (typeof entry !== "string") return { name: "", weight: 0 };
  const [, queue = "", weight] = /^(.*?)(?:=([^=]*))?$/s.exec(entry) ?? [];
  return { name: queue, weight: weight === undefined ? 1 : Number(weight) };
}

function fromRecord(value: unknown): QueueShare[] | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  return Object.entries(value).map(([queue, weight]) => ({
    name: queue,
    weight: typeof weight === "number" ? weight : Number.NaN,
  }));
}

function isWrong(share: QueueShare): boolean {
  return share.name.trim() === "" || !Number.isSafeInteger(share.weight) || share.weight < 1;
}
