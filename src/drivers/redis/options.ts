import type { ConnectionOptions as TlsOptions } from "node:tls";
import { maskUrl } from "../../config/mask.js";
import { type Duration, parseDuration } from "../../job/duration.js";
import { ConfigError } from "../../job/errors.js";
import { decodePart, readHosts, readLogin } from "../common/address.js";
import { assertOptionNames, checkWholeNumber, oneOf, readQuery } from "../common/options.js";
import type { Address, IoredisClient } from "./client/address.js";

/** Where and how the redis driver keeps jobs. */
export interface RedisOptions {
  /**
   * The server. Default `"redis://127.0.0.1:6379"`. One of
   *
   * - `redis://[user:password@]host[:port][/db]`, `rediss://` with TLS; `valkey://` and `valkeys://` are the same
   * - `redis+unix:///path/of/socket?db=0`
   * - `redis+sentinel://[user:password@]host[:port],host[:port]/name-of-the-primary[/db]`, `rediss+sentinel://` with TLS
   * - `redis+cluster://[user:password@]host[:port],host[:port]`, `rediss+cluster://` with TLS
   *
   * with `?prefix=`, `?timeout=`, `?maxBytes=` as below, and `?sentinelPassword=`.
   */
  readonly url?: string;
  /** An ioredis client (`Redis` or `Cluster`) to take the address and options from, instead of `url`. It stays yours to close. */
  readonly client?: IoredisClient;
  /** Begins every key, as `{prefix}:`, so that the jobs of different prefixes never meet. Default `"taskwright"`. */
  readonly prefix?: string;
  /** How long a call waits for the connection, and for an answer. Default `"10s"`. */
  readonly timeout?: Duration;
  /** The longest body of a job or outcome, in bytes. Default 1,048,576 (1 MiB). */
  readonly maxBytes?: number;
  /**
   * Whose messages and results are in it. `"celery"`: those of Python's Celery, as kombu keeps them on one Redis server.
   * Default `"taskwright"`.
   */
  readonly protocol?: "taskwright" | "celery";
  /**
   * With `protocol: "celery"`: after this long a message that a Python worker holds is put back. The same as in Celery's
   * `broker_transport_options`. Default `"1h"`.
   */
  readonly visibilityTimeout?: Duration;
  /** Options for TLS, such as `ca`. Default: those of Node, where the URL asks for TLS. */
  readonly tls?: TlsOptions;
}

/** Options with everything decided. */
export interface Settings {
  readonly address: Address | IoredisClient;
  /** Where it connects to, without secrets. */
  readonly location: string;
  readonly prefix: string;
  /** Milliseconds. */
  readonly timeout: number;
  readonly protocol: "taskwright" | "celery";
  /** Milliseconds. */
  readonly visibilityTimeout: number;
  readonly maxBytes: number;
}

const OPTION_NAMES = ["url", "client", "prefix", "timeout", "maxBytes", "protocol", "visibilityTimeout", "tls"];
const QUERY_NAMES = ["prefix", "timeout", "maxBytes", "visibilityTimeout", "db", "sentinelPassword"] as const;
const DEFAULT_URL = "redis://127.0.0.1:6379";
const DEFAULT_PREFIX = "taskwright";
const PROTOCOLS = ["taskwright", "celery"] as const;
const DEFAULT_MAX_BYTES = 1024 * 1024;
/** Redis's own limit. */
const MOST_BYTES = 512 * 1024 * 1024;
const PORT = 6379;
const SENTINEL_PORT = 26379;

const FORM =
  /^(?:(rediss?|valkeys?)|(rediss?)\+(sentinel|cluster)|redis\+(unix)):\/\/(?:([^@/?#]*)@)?([^/?#]*)(\/[^?#]*)?(?:\?([^#]*))?$/i;

/** @throws {ConfigError} naming the option that is wrong and what it may be. */
export function resolveOptions(options: RedisOptions): Settings {
  assertOptionNames(options, OPTION_NAMES, "redis()");
  if (options.url !== undefined && options.client !== undefined) {
    throw new ConfigError("redis() takes a url or a client, not both");
  }
  if (options.tls !== undefined && options.client !== undefined) {
    throw new ConfigError("redis() takes tls with a url: a client has its own");
  }
  const { client, url = DEFAULT_URL, tls } = options;
  const parsed = client === undefined ? parseUrl(url) : undefined;
  const merged = { ...parsed?.options, ...options };
  return {
    address: addressOf(parsed?.address ?? assertClient(client), tls),
    location: client === undefined ? maskUrl(url) : "redis: (the given client)",
    prefix: checkPrefix(merged.prefix ?? DEFAULT_PREFIX),
    protocol: oneOf("protocol", merged.protocol ?? "taskwright", PROTOCOLS),
    visibilityTimeout: parseDuration(merged.visibilityTimeout ?? "1h", "visibilityTimeout"),
    timeout: parseDuration(merged.timeout ?? "10s", "timeout"),
    maxBytes: checkWholeNumber("maxBytes", merged.maxBytes ?? DEFAULT_MAX_BYTES, 1, MOST_BYTES),
  };
}

function addressOf(address: Address | IoredisClient, tls: TlsOptions | undefined): Address | IoredisClient {
  return tls === undefined || "duplicate" in address ? address : { ...address, tls };
}

function assertClient(client: unknown): IoredisClient {
  const { duplicate, options } = (client ?? {}) as { duplicate?: unknown; options?: unknown };
  if (typeof duplicate === "function" && typeof options === "object") return client as IoredisClient;
  throw new ConfigError("client is no ioredis client: give a `new Redis(...)` or `new Cluster(...)` of ioredis");
}

interface Parsed {
  readonly address: Address;
  readonly options: Pick<RedisOptions, "prefix" | "timeout" | "maxBytes" | "visibilityTimeout">;
}

/** @throws {ConfigError} when the URL has another form or another key. */
export function parseUrl(url: string): Parsed {
  const match = FORM.exec(url);
  if (!match) {
    throw new ConfigError(`"${maskUrl(url)}" is not a redis URL: write redis://user:password@localhost:6379/0`);
  }
  const [, one, many, several, unix, user, hosts = "", path = "", search = ""] = match;
  const query = readQuery(search, QUERY_NAMES, "the redis URL", url);
  const mode = (several ?? unix ?? "").toLowerCase();
  const address = { ...places(mode, hosts, path, query.db, url), ...loginOf(user, url) };
  const secure = /^(rediss|valkeys)$/i.test(one ?? many ?? "");
  const { prefix, timeout, maxBytes, visibilityTimeout, sentinelPassword } = query;
  return {
    address: {
      ...address,
      ...(secure && { tls: {} }),
      ...(sentinelPassword !== undefined && { sentinelPassword }),
    },
    options: {
      ...(prefix !== undefined && { prefix }),
      ...(timeout !== undefined && { timeout }),
      ...(visibilityTimeout !== undefined && { visibilityTimeout }),
      ...(maxBytes !== undefined && { maxBytes: Number(maxBytes) }),
    },
  };
}

function places(mode: string, hosts: string, path: string, db: string | undefined, url: string): Address {
  const parts = path.split("/").filter((part) => part !== "");
  switch (mode) {
    case "unix":
      if (hosts !== "" || path === "")
        throw new ConfigError(`"${maskUrl(url)}" has no path: write redis+unix:///path/of/socket`);
      return { kind: "standalone", nodes: [], path: decodePart(path, url), db: parseDb(db, url) };
    case "sentinel": {
      const [primary, ...rest] = parts;
      if (primary === undefined) {
        throw new ConfigError(
          `"${maskUrl(url)}" does not name the primary: write redis+sentinel://host:26379/mymaster`,
        );
      }
      return {
        kind: "sentinel",
        nodes: readHosts(hosts, SENTINEL_PORT, url),
        primary: decodePart(primary, url),
        db: parseDb(rest.join("/") || db, url),
      };
    }
    case "cluster":
      if ((parts.join("/") || (db ?? "0")) !== "0")
        throw new ConfigError(`a Redis cluster has only database 0: leave it out of "${maskUrl(url)}"`);
      return { kind: "cluster", nodes: readHosts(hosts, PORT, url), db: 0 };
    default:
      if (hosts.includes(","))
        throw new ConfigError(`"${maskUrl(url)}" has several hosts: write redis+cluster:// or redis+sentinel://`);
      return { kind: "standalone", nodes: readHosts(hosts, PORT, url), db: parseDb(parts.join("/") || db, url) };
  }
}

function parseDb(text: string | undefined, url: string): number {
  if (text === undefined) return 0;
  if (!/^\d{1,5}$/.test(text))
    throw new ConfigError(`the database in "${maskUrl(url)}" is not a number: write redis://localhost:6379/0`);
  return Number(text);
}

function loginOf(login: string | undefined, url: string): Pick<Address, "username" | "password"> {
  const { user = "", password = "" } = readLogin(login, url) ?? {};
  return { ...(user !== "" && { username: user }), ...(password !== "" && { password }) };
}

function checkPrefix(prefix: string): string {
  if (typeof prefix === "string" && /^[^{}\s]{1,100}$/.test(prefix)) return prefix;
  throw new ConfigError(`prefix cannot be "${prefix}": 1 to 100 characters without braces or blanks`);
}
