import type { SettingType } from "./types.js";
import * as types from "./types.js";

/** One setting: what it may hold, what it is when nobody sets it, and what it is for. */
export interface Setting<Input, Output> {
  readonly type: SettingType<Input, Output>;
  /** The default as one would write it. Absent: computed from other settings, or nothing. */
  readonly default?: NoInfer<Input>;
  /** The default in words, where it is not a value. */
  readonly defaultText?: string;
  /** One or two sentences, for `--help` and the documentation. */
  readonly description: string;
}

function setting<Input, Output>(definition: Setting<Input, Output>): Setting<Input, Output> {
  return definition;
}

/** The settings of tasks and jobs that do not say otherwise. */
const defaults = {
  queue: setting({ type: types.name, default: "default", description: "The queue of jobs that name none." }),
  priority: setting({ type: types.integer(0, 9), default: 0, description: "0 to 9; higher runs first." }),
  attempts: setting({
    type: types.integer(1, 1_000_000),
    default: 3,
    description: "Total runs of a failing job, the first included.",
  }),
  backoff: setting({
    type: types.backoff,
    default: { type: "exponential", delay: "1s", max: "5m", jitter: 0.2 },
    description: "How long to wait before each retry.",
  }),
  timeout: setting({
    type: types.optional(types.duration(1)),
    default: "none",
    description: "The longest one attempt may take before its signal aborts and it fails.",
  }),
  expires: setting({
    type: types.optional(types.duration(1)),
    default: "none",
    description: "Start no run of a job, retries included, later than this after it was enqueued.",
  }),
  result: {
    keep: setting({ type: types.flag, default: true, description: "Keep the outcome of a job for its callers." }),
    ttl: setting({
      type: types.optional(types.duration(1)),
      default: "1d",
      description: 'How long an outcome is kept. "none": until it is forgotten.',
    }),
  },
  delivery: setting({
    type: types.choice("at-least-once", "at-most-once"),
    default: "at-least-once",
    description: "Settle a job after it ran, or before: a crash then loses the run instead of repeating it.",
  }),
} as const;

/** The settings of one worker. */
const worker = {
  queues: setting({
    type: types.queues,
    default: ["default"],
    description: "The queues to work on, in order; or with weights.",
  }),
  order: setting({
    type: types.choice("strict", "weighted"),
    defaultText: '"weighted" if the queues have weights, else "strict"',
    description: "Drain the queues one after another, or share between them by weight.",
  }),
  concurrency: setting({
    type: types.integer(1),
    default: 100,
    description: "The most jobs that run at once in one worker.",
  }),
  prefetch: setting({
    type: types.integer(0),
    defaultText: "as many as end within 10 ms, up to 500",
    description: "Jobs to hold beside the running ones. 0: only what can start now.",
  }),
  lease: setting({
    type: types.duration(100),
    default: "30s",
    description: "How long a claimed job belongs to a worker that gives no sign of life.",
  }),
  heartbeat: setting({
    type: types.duration(10),
    defaultText: "a third of the lease (10s)",
    description: "How often leases are renewed. Under half of the lease, so that one lost renewal loses no job.",
  }),
  sweep: setting({
    type: types.duration(10),
    defaultText: "half of the lease (15s)",
    description: "How often to look for jobs whose worker is gone.",
  }),
  poisonLimit: setting({
    type: types.integer(1),
    default: 3,
    description: "After this many lost leases a job goes to the dead letters, because it may be what kills workers.",
  }),
  grace: setting({
    type: types.duration(),
    default: "30s",
    description: "How long running jobs may finish after the first SIGTERM or SIGINT.",
  }),
  ack: setting({
    type: types.choice("saved", "executed"),
    default: "saved",
    description: "A job leaves its queue once its outcome is saved, or as soon as it has run.",
  }),
} as const;

/**
 * Every setting there is. Defaults, types, environment variables, command line flags, validation and
 * docs/configuration.md are all made from this one value, so a flag cannot be parsed and then ignored.
 */
export const SCHEMA = {
  broker: setting({
    type: types.place,
    default: "sqlite:./taskwright.db",
    description: "Where jobs live. The scheme of the URL names the driver.",
  }),
  backend: setting({
    type: types.place,
    defaultText: "the broker, where it can keep results",
    description: "Where results and shared state live.",
  }),
  protocol: setting({
    type: types.choice("taskwright", "celery"),
    default: "taskwright",
    description: "Whose messages and results the broker and the backend hold: our own, or those of Python's Celery.",
  }),
  queuePlaces: setting({
    type: types.queuePlaces,
    default: {},
    description: "Queues whose jobs are elsewhere, or in another protocol, than the app's own.",
  }),
  celery: {
    trackStarted: setting({
      type: types.flag,
      default: false,
      description: "Write the state STARTED when a task starts, as Celery's task_track_started does.",
    }),
    resultExtended: setting({
      type: types.flag,
      default: false,
      description: "Write name, arguments, worker and queue into results, as Celery's result_extended does.",
    }),
    resultPersistent: setting({
      type: types.flag,
      default: false,
      description: "With the backend rpc://: results that wait for their callers survive RabbitMQ's restart.",
    }),
    sendTaskEvents: setting({
      type: types.flag,
      default: false,
      description: "Send task events, for `celery events` and Flower, as `celery worker -E` does.",
    }),
    remoteControl: setting({
      type: types.flag,
      default: true,
      description: "Obey and answer `celery inspect`, `celery control` and `celery status`, and send heartbeats.",
    }),
  },
  codec: setting({
    type: types.choice("msgpack", "json"),
    default: "msgpack",
    description: "How arguments and results are written. MessagePack keeps Date, Map, Set, bigint, bytes and errors.",
  }),
  logLevel: setting({
    type: types.choice("debug", "info", "warn", "error", "silent"),
    default: "info",
    description: "The least important log lines to write.",
  }),
  logFormat: setting({
    type: types.choice("pretty", "json"),
    default: "pretty",
    description: "Log lines for people, or one JSON document a line.",
  }),
  defaults,
  worker,
} as const;

type AnySetting = Setting<unknown, unknown>;

/** What one may write: every setting of `S` optional, durations as text or ms. */
type Input<S> = { readonly [K in keyof S]?: S[K] extends Setting<infer In, infer _Out> ? In : Input<S[K]> };

/** What comes out: settings with a default are there, durations are ms. */
type Output<S> = { readonly [K in keyof S]: S[K] extends Setting<infer _In, infer Out> ? Out : Output<S[K]> };

/**
 * What a `taskwright.config.ts` may export by default, and what `new Taskwright` takes beside its services.
 *
 * @example
 * import type { TaskwrightConfig } from "taskwright";
 *
 * export default {
 *   broker: "sqlite:./jobs.db",
 *   defaults: { attempts: 5 },
 *   worker: { queues: { mail: 5, default: 1 }, concurrency: 50 },
 * } satisfies TaskwrightConfig;
 */
export type TaskwrightConfig = Input<typeof SCHEMA>;

/** Options of `app.worker()`; each falls back to the app's `worker` settings. */
export type WorkerConfig = Input<typeof worker>;

/** Defaults for tasks and jobs. */
export type DefaultsConfig = Input<typeof defaults>;

export type WorkerSettings = Output<typeof worker>;
export type DefaultsSettings = Output<typeof defaults>;

/** All settings with their values. `backend` may be left to the broker. */
export type SettingValues = Omit<Output<typeof SCHEMA>, "backend"> & {
  readonly backend: Output<typeof SCHEMA>["backend"] | undefined;
};

/** A setting with the names it goes by. */
export interface NamedSetting extends AnySetting {
  /** Where it stands in a configuration, such as `"worker.concurrency"`. */
  readonly path: string;
  /** Such as `"TASKWRIGHT_CONCURRENCY"`. */
  readonly env: string;
  /** Such as `"--concurrency"`. */
  readonly flag: string;
}

/** The schema as a list, in its order. */
export const SETTINGS: readonly NamedSetting[] = list(SCHEMA, "");

/** A branch of the schema: settings and further branches by name. */
export type Branch = { readonly [key: string]: AnySetting | Branch };

export function isSetting(node: AnySetting | Branch): node is AnySetting {
  return "description" in node && typeof node.description === "string";
}

function list(branch: Branch, prefix: string): NamedSetting[] {
  return Object.entries(branch).flatMap(([key, node]) => {
    const path = `${prefix}${key}`;
    return isSetting(node) ? [{ ...node, ...names(path), path }] : list(node, `${path}.`);
  });
}

/** `worker.poisonLimit` is `--poison-limit`, and `defaults.result.ttl` is `--default-result-ttl`. */
function names(path: string): { env: string; flag: string } {
  const words = path
    .replace(/^worker\./, "")
    .replace(/^defaults\./, "default.")
    .replace(/\./g, "-")
    .replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  return { flag: `--${words}`, env: `TASKWRIGHT_${words.replace(/-/g, "_").toUpperCase()}` };
}
