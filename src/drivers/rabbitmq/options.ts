import type { ConnectionOptions as TlsOptions } from "node:tls";
import { maskUrl } from "../../config/mask.js";
import { type Duration, parseDuration } from "../../job/duration.js";
import { ConfigError } from "../../job/errors.js";
import { decodePart, readHosts, readLogin } from "../common/address.js";
import { assertOptionNames, checkWholeNumber, oneOf, readQuery } from "../common/options.js";
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
  /** Options for TLS, such as `ca`; with `amqps:` only. Default: those of Node. */
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
const QUERY_NAMES = ["queueType", "maxPriority", "heartbeat", "timeout", "maxBytes"] as const;
const QUEUE_TYPES = ["classic", "quorum"] as const;
const PROTOCOLS = ["taskwright", "celery"] as const;
const DEFAULT_URL = "amqp://guest:guest@127.0.0.1:5672";
const DEFAULT_MAX_BYTES = 1024 * 1024;
/** RabbitMQ's own limit. */
const MOST_BYTES = 128 * 1024 * 1024;
/** 16 bits. */
const LONGEST_HEARTBEAT = 65_535;
const FORM = /^(amqps?):\/\/(?:([^@/?#]*)@)?([^/?#]*)(\/[^?#]*)?(?:\?([^#]*))?$/i;

/** @throws {ConfigError} naming the option that is wrong and what it may be. */
export function resolveOptions(options: RabbitmqOptions): Settings {
  assertOptionNames(options, OPTION_NAMES, "rabbitmq()");
  const { url = DEFAULT_URL, tls } = options;
  const { address, query } = parseUrl(url);
  const merged = { ...query, ...options };
  const queueType = oneOf("queueType", merged.queueType ?? "classic", QUEUE_TYPES);
  const protocol = oneOf("protocol", merged.protocol ?? "taskwright", PROTOCOLS);
  const isPlain = queueType === "quorum" || protocol === "celery";
  return {
    address: {
      ...address,
      ...(tls !== undefined && { tls: checkTls(tls, address, url) }),
      heartbeat: checkHeartbeat(merged.heartbeat ?? "10s"),
    },
    location: maskUrl(url),
    queueType,
    protocol,
    maxPriority: checkMaxPriority(merged.maxPriority ?? (isPlain ? 0 : 9), queueType),
    timeout: parseDuration(merged.timeout ?? "10s", "timeout"),
    maxBytes: checkWholeNumber("maxBytes", merged.maxBytes ?? DEFAULT_MAX_BYTES, 1, MOST_BYTES),
  };
}

interface Parsed {
  readonly address: Omit<Address, "heartbeat">;
  readonly query: Pick<RabbitmqOptions, "maxPriority" | "heartbeat" | "timeout" | "maxBytes"> & {
    readonly queueType?: string;
  };
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
      hosts: readHosts(hosts, secure ? 5671 : 5672, url),
      ...loginOf(user, url),
      vhost: decodePart(path.slice(1), url) || "/",
      ...(secure && { tls: {} }),
    },
    query: parseQuery(search, url),
  };
}

function parseQuery(search: string, url: string): Parsed["query"] {
  const { maxPriority, maxBytes, ...rest } = readQuery(search, QUERY_NAMES, "the rabbitmq URL", url);
  return {
    ...rest,
    ...(maxPriority !== undefined && { maxPriority: Number(maxPriority) }),
    ...(maxBytes !== undefined && { maxBytes: Number(maxBytes) }),
  };
}

function loginOf(login: string | undefined, url: string): Pick<Address, "username" | "password"> {
  const { user, password } = readLogin(login, url) ?? { user: "guest", password: "guest" };
  return { username: user, password };
}

/** What is meant to be secret must not go in the clear because of a letter. */
function checkTls(tls: TlsOptions, address: Parsed["address"], url: string): TlsOptions {
  if (address.tls !== undefined) return tls;
  throw new ConfigError(`tls goes with amqps://, and "${maskUrl(url)}" is without TLS`);
}

/** In whole seconds, as AMQP has it. */
function checkHeartbeat(heartbeat: Duration): number {
  const seconds = Math.ceil(parseDuration(heartbeat, "heartbeat") / 1000);
  if (seconds > 0 && seconds <= LONGEST_HEARTBEAT) return seconds;
  throw new ConfigError(
    `heartbeat cannot be ${heartbeat}: 1 s to ${LONGEST_HEARTBEAT} s, since without any a silent connection would never end`,
  );
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
