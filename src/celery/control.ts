import { ConfigError } from "../job/errors.js";
import { type Fields, isFields } from "./fields.js";

/** What commands of remote control look at, and act on. */
export interface Panel {
  readonly active: () => readonly Fields[];
  readonly reserved: () => readonly Fields[];
  readonly registered: () => readonly string[];
  readonly queues: () => readonly string[];
  readonly stats: () => Fields;
  readonly settings: () => Fields;
  readonly revoked: () => readonly string[];
  readonly clock: () => number;
  /** Tasks of these ids never start; with `terminate` they are told to stop. Answers those that were in hand. */
  revoke(ids: readonly string[], terminate: boolean): readonly string[];
  /** Starts of a task in a second; 0 for no limit. Answers whether there is such a task. */
  limit(task: string, perSecond: number): boolean;
  /** Answers whether they were on before. */
  setTaskEvents(on: boolean): boolean;
  heartbeat(): void;
  shutdown(): void;
}

type Command = (panel: Panel, given: Fields) => unknown;

/** The commands of `celery inspect` and `celery control` that are understood, with the words of Celery's own answers. */
const COMMANDS: Readonly<Record<string, Command>> = {
  ping: () => ({ ok: "pong" }),
  active: (panel) => panel.active(),
  reserved: (panel) => panel.reserved(),
  // What waits for its time is in the broker, and not in a worker's memory.
  scheduled: () => [],
  registered: (panel) => panel.registered(),
  stats: (panel) => panel.stats(),
  conf: (panel) => panel.settings(),
  revoked: (panel) => panel.revoked(),
  clock: (panel) => ({ clock: panel.clock() }),
  active_queues: (panel) => panel.queues().map(queueFields),
  query_task: (panel, { ids }) => queryTask(panel, textsOf(ids)),
  report: () => ({ ok: `taskwright on Node ${process.versions.node}` }),
  revoke: (panel, { task_id: id, terminate }) => revoke(panel, textsOf(id), isTrue(terminate)),
  terminate: (panel, { task_id: id }) => revoke(panel, textsOf(id), true),
  rate_limit: (panel, given) => rateLimit(panel, given),
  enable_events: (panel) => ({ ok: panel.setTaskEvents(true) ? "task events already enabled" : "task events enabled" }),
  disable_events: (panel) => ({
    ok: panel.setTaskEvents(false) ? "task events disabled" : "task events already disabled",
  }),
  // `None`, as in Celery: `celery control` takes silence for a worker that is not there.
  heartbeat: (panel) => {
    panel.heartbeat();
    return null;
  },
  shutdown: (panel) => panel.shutdown(),
};

/** Names that older clients use. */
const ALIASES: Readonly<Record<string, string>> = {
  dump_active: "active",
  dump_reserved: "reserved",
  dump_schedule: "scheduled",
  dump_tasks: "registered",
  dump_revoked: "revoked",
  dump_conf: "conf",
};

/** Runs one command, and answers what to reply. What goes wrong is an answer too, as in Celery. */
export function obey(method: unknown, given: unknown, panel: Panel): unknown {
  const name = typeof method === "string" ? (ALIASES[method] ?? method) : "";
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined) return { error: `taskwright does not know the command ${JSON.stringify(method)}` };
  try {
    return command(panel, isFields(given) ? given : {});
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}

/** Whether a message of remote control is for this node: by name, by pattern, or for all. */
export function isFor(nodename: string, { destination, pattern, matcher }: Fields): boolean {
  if (Array.isArray(destination) && destination.length > 0) return destination.includes(nodename);
  if (typeof pattern !== "string" || pattern === "") return true;
  if (matcher === "pcre") return matches(pattern, nodename);
  return matches(globSource(pattern), nodename);
}

/** Starts in a second, of `"10/s"`, `"100/m"`, `"1/h"` or a number. Throws ConfigError for anything else. */
function parseRate(rate: unknown): number {
  if (rate === null || rate === undefined || rate === "" || rate === 0 || rate === "0") return 0;
  const [, count, unit = "s"] = /^(\d+(?:\.\d+)?)(?:\/([smh]))?$/.exec(String(rate).trim()) ?? [];
  if (count === undefined) throw new ConfigError(`Invalid rate limit string: ${JSON.stringify(rate)}`);
  return Number(count) / ({ s: 1, m: 60, h: 3600 }[unit] ?? 1);
}

function revoke(panel: Panel, ids: readonly string[], terminate: boolean): unknown {
  const found = panel.revoke(ids, terminate);
  if (!terminate) return { ok: `tasks ${ids.join(", ")} flagged as revoked` };
  return { ok: found.length === 0 ? "terminate: tasks unknown" : `terminate: ${found.join(", ")}` };
}

function rateLimit(panel: Panel, { task_name: task, rate_limit: rate }: Fields): unknown {
  const perSecond = parseRate(rate);
  if (!panel.limit(String(task), perSecond)) return { error: "unknown task" };
  return { ok: perSecond === 0 ? "rate limit disabled successfully" : "new rate limit set successfully" };
}

function queryTask(panel: Panel, ids: readonly string[]): Fields {
  const found = (state: string, jobs: readonly Fields[]): [string, unknown][] =>
    jobs.filter(({ id }) => ids.includes(String(id))).map((job) => [String(job.id), [state, job]]);
  return Object.fromEntries([...found("reserved", panel.reserved()), ...found("active", panel.active())]);
}

/** All that kombu tells of a queue: Flower's page of a worker cannot be shown where one is missing. */
function queueFields(name: string): Fields {
  const lasting = { durable: true, auto_delete: false, no_declare: null };
  const exchange = { name, type: "direct", arguments: null, passive: false, delivery_mode: null, ...lasting };
  const extra = { queue_arguments: null, binding_arguments: null, consumer_arguments: null, bindings: [], alias: null };
  const limits = { expires: null, message_ttl: null, max_length: null, max_length_bytes: null, max_priority: null };
  return { name, exchange, routing_key: name, exclusive: false, no_ack: false, ...lasting, ...extra, ...limits };
}

/** As Python takes it: Flower sends 1. */
function isTrue(value: unknown): boolean {
  return value === true || value === 1;
}

function textsOf(value: unknown): string[] {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  return list.filter((one): one is string => typeof one === "string");
}

function matches(source: string, text: string): boolean {
  try {
    return new RegExp(source).test(text);
  } catch {
    return false;
  }
}

function globSource(glob: string): string {
  const escaped = glob.replace(/[.+^${}()|\\]/g, "\\$&");
  return `^${escaped.replace(/\*/g, ".*").replace(/\?/g, ".")}$`;
}
