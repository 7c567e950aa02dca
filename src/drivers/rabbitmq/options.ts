import type { ConnectionOptions as TlsOptions } from "node:tls";
import { maskUrl } from "../../config/mask.js";
import { unknownKey } from "../../config/nearest.js";
import { type Duration, parseDuration } from "../../job/duration.js";
import { ConfigError } from "../../job/errors.js";
import type { Address } from "./client.js";

/** The kind of RabbitMQ's queues. */
export type QueueType = "classic" | "quorum";

/** Where and how the rabbitmq driver moves jobs. */
export interface RabbitmqOptions {
  /**
   * The server, or several of one cluster, of which one at a time is used. Default `"amqp://guest:guest@127.0.0.1:5672"`.
   *
   * `amqp://[user:password@]host[:port][,host[:port]...][/vhost]`, `amqps://` with TLS; without a vhost it is `/`. With
   * `?queueType=`, `?maxPriority=`, `?heartbeat=`, `?timeout=`, `?maxBytes=` as below.
   */
  readonly url?: string;
  /**
   * How queues are declared: `"classic"`, on one node, or `"quorum"`, on several, with no priorities. All who share a queue
   * must agree. Default `"classic"`.
   */
  readonly queueType?: QueueType;
  /**
   * The `x-max-priority` with which classic queues are declared: 0 for none, or 9 to 255, of which taskwright uses 0 to 9. All
   * who share a queue must agree. Default 9, and 0 for quorum queues.
   */
  readonly maxPriority?: number;
  /**
   * Whose messages are in it. `"celery"`: those of Python's Celery; queues are then declared with no priorities unless
   * `maxPriority` says what `task_queue_max_priority` says there. Default `"taskwright"`.
   */
  readonly protocol?: "taskwright" | "celery";
  /** A connection that is silent for twice as long is over, on either side, and its jobs go to others. Default `"10s"`. */
  readonly heartbeat?: Duration;
  /** How long a call waits for the connection, and for an answer. Default `"10s"`. */
  readonly timeout?: Duration;
  /** The longest body of a job, in bytes. Default 1,048,576 (1 MiB). RabbitMQ 4 takes 16 MiB unless told otherwise. */
  readonly maxBytes?: number;
  /** Options for TLS, such as `ca`. Default: those of Node, where the URL asks for TLS. */
  readonly tls?: TlsOptions;
}

/** Options with everything decided. */
export interface Settings {
  readonly address: Address;
  /** Where it connects to, without secrets. */
  readonly location: string;
  readonly queueType: QueueType;
  readonly protocol: "taskwright" | "celery";
  /** 0 for none. */
  readonly maxPriority: number;
  /** Milliseconds. */
  readonly timeout: number;
  readonly maxBytes: number;
}

const OPTION_NAMES = ["url", "queueType", "maxPriority", "protocol", "heartbeat", "timeout", "maxBytes", "tls"];
const QUERY_NAMES = OPTION_NAMES.filter((name) => name !== "url" && name !== "tls" && name !== "protocol");
const DEFAULT_URL = "amqp://guest:guest@127.0.0.1:5672";
const DEFAULT_MAX_BYTES = 1024 * 1024;
/** RabbitMQ's own limit. */
const MOST_BYTES = 128 * 1024 * 1024;
const FORM = /^(amqps?):\/\/(?:([^@/?#]*)@)?([^/?#]*)(\/[^?#]*)?(?:\?([^#]*))?$/i;

/** @throws {ConfigError} naming the option that is wrong and what it may be. */
export function resolveOptions(options: RabbitmqOptions): Settings {
  for (const key of Object.keys(options)) {
    if (!OPTION_NAMES.includes(key)) throw new ConfigError(unknownKey("option", key, OPTION_NAMES, "rabbitmq()"));
  }
  const { url = DEFAULT_URL, tls } = options;
  const { address, query } = parseUrl(url);
  const merged = { ...query, ...options };
  const queueType = checkQueueType(merged.queueType ?? "classic");
  const protocol = checkProtocol(merged.protocol);
  const isPlain = queueType === "quorum" || protocol === "celery";
  return {
    address: {
      ...address,
      ...(tls !== undefined && address.tls !== undefined && { tls }),
      heartbeat: Math.ceil(parseDuration(merged.heartbeat ?? "10s", "heartbeat") / 1000),
    },
    location: maskUrl(url),
    queueType,
    protocol,
    maxPriority: checkMaxPriority(merged.maxPriority ?? (isPlain ? 0 : 9), queueType),
    timeout: parseDuration(merged.timeout ?? "10s", "timeout"),
    maxBytes: checkMaxBytes(merged.maxBytes ?? DEFAULT_MAX_BYTES),
  };
}

interface Parsed {
  readonly address: Omit<Address, "heartbeat">;
  readonly query: Omit<RabbitmqOptions, "url" | "tls">;
}

function parseUrl(url: string): Parsed {
  const match = FORM.exec(url);
  if (!match) {
    throw new ConfigError(`"${maskUrl(url)}" is not a rabbitmq URL: write amqp://user:password@localhost:5672/vhost`);
  }
  const [, scheme = "", user, hosts = "", path = "", search = ""] = match;
  const secure = scheme.toLowerCase() === "amqps";
  return {
    address: {
      hosts: hostsOf(hosts, secure ? 5671 : 5672, url),
      ...userOf(user, url),
      vhost: decode(path.slice(1), url) || "/",
      ...(secure && { tls: {} }),
    },
    query: parseQuery(search, url),
  };
}

function parseQuery(search: string, url: string): Parsed["query"] {
  const values: Record<string, string | number> = {};
  for (const [key, value] of new URLSearchParams(search)) {
    // The end of a password with a question mark.
    if (key.includes("@")) throw new ConfigError(`"${maskUrl(url)}" is not well encoded: write a question mark as %3F`);
    if (!QUERY_NAMES.includes(key)) throw new ConfigError(unknownKey("option", key, QUERY_NAMES, "the rabbitmq URL"));
    values[key] = key.startsWith("max") ? Number(value) : value;
  }
  return values as Parsed["query"];
}

function hostsOf(hosts: string, defaultPort: number, url: string): Address["hosts"] {
  return (hosts === "" ? "127.0.0.1" : hosts).split(",").map((host) => {
    const match = /^(\[[^\]]+\]|[^:@]+)(?::(\d+))?$/.exec(host.trim());
    const port = Number(match?.[2] ?? defaultPort);
    // The host is not shown by itself: it is a part of the password when that is not encoded.
    if (!match?.[1] || port === 0 || port > 65_535)
      throw new ConfigError(
        `"${maskUrl(url)}" has a host that is not host or host:port (in a password, write "/" as %2F and "@" as %40)`,
      );
    return { host: match[1].replace(/^\[|\]$/g, ""), port };
  });
}

function userOf(user: string | undefined, url: string): Pick<Address, "username" | "password"> {
  if (user === undefined) return { username: "guest", password: "guest" };
  const [name = "", ...rest] = user.split(":");
  return { username: decode(name, url), password: decode(rest.join(":"), url) };
}

function decode(text: string, url: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new ConfigError(`"${maskUrl(url)}" is not well encoded: write a percent sign as %25`);
  }
}

function checkQueueType(type: unknown): QueueType {
  if (type === "classic" || type === "quorum") return type;
  throw new ConfigError(`queueType cannot be "${String(type)}": write "classic" or "quorum"`);
}

function checkProtocol(protocol: RabbitmqOptions["protocol"] = "taskwright"): "taskwright" | "celery" {
  if (protocol === "taskwright" || protocol === "celery") return protocol;
  throw new ConfigError(`protocol cannot be "${String(protocol)}": write "taskwright" or "celery"`);
}

function checkMaxPriority(priority: number, type: QueueType): number {
  if (priority === 0) return 0;
  if (type === "quorum")
    throw new ConfigError("quorum queues have no priorities: leave maxPriority out, or use classic queues");
  if (Number.isInteger(priority) && priority >= 9 && priority <= 255) return priority;
  throw new ConfigError(
    `maxPriority cannot be ${priority}: 0 for none, or 9 to 255, since jobs have priorities from 0 to 9`,
  );
}

function checkMaxBytes(bytes: number): number {
  if (Number.isSafeInteger(bytes) && bytes > 0 && bytes <= MOST_BYTES) return bytes;
  throw new ConfigError(`maxBytes cannot be ${bytes}: a whole number of bytes, up to RabbitMQ's own limit of 128 MiB`);
}
