import { isIP } from "node:net";
import type { ConnectionOptions as TlsOptions } from "node:tls";
import { maskUrl } from "../../config/mask.js";
import { type Duration, parseDuration } from "../../job/duration.js";
import { ConfigError } from "../../job/errors.js";
import { decodePart, readLogin } from "../common/address.js";
import { assertOptionNames, checkWholeNumber, readFlag, readQuery } from "../common/options.js";
import type { Address, Mysql2Pool } from "./client/mysql2.js";

/** Where and how the mysql driver keeps jobs. */
export interface MysqlOptions {
  /**
   * The server and the database: `mysql://user:password@host:3306/database`, or `mariadb://`, which is the same, with
   * `?tablePrefix=`, `?poolSize=`, `?timeout=`, `?maxBytes=`, `?pollMin=` and `?pollMax=` as below, `?tls=true`, and
   * `?socket=/path` for a unix socket.
   */
  readonly url?: string;
  /**
   * A pool of `mysql2/promise` to use instead of opening one. It stays yours to close, and needs as many connections as
   * `poolSize` says for ours.
   */
  readonly pool?: Mysql2Pool;
  /** Begins the name of every table, so that jobs of different prefixes never meet. Default `"taskwright_"`. */
  readonly tablePrefix?: string;
  /** The most connections of one process. Default 10; a worker uses up to 6 at once. */
  readonly poolSize?: number;
  /** How long a call waits for a connection, and for the answer to a statement. Default `"10s"`. */
  readonly timeout?: Duration;
  /** The longest body of a job or outcome, in bytes. Default 4,194,304 (4 MiB); `max_allowed_packet` must be 4 times it. */
  readonly maxBytes?: number;
  /**
   * How often a process looks for work while it has none: a tenth of the time for which there has been none, but at least
   * `min`, default `"10ms"`, and at most `max`, default `"1s"`. It is one small query, however many queues and workers.
   */
  readonly poll?: { readonly min?: Duration; readonly max?: Duration };
  /**
   * `true`, or options such as `ca`: connect with TLS. Default `false`. The certificate must be for the host of the URL, unless
   * that is an address; `rejectUnauthorized: false` checks nothing.
   */
  readonly tls?: boolean | TlsOptions;
}

/** Options with everything decided. Times in ms. */
export interface Settings {
  readonly place: Address | Mysql2Pool;
  /** Where it connects to, without secrets. */
  readonly location: string;
  readonly tablePrefix: string;
  readonly poolSize: number;
  readonly timeout: number;
  readonly maxBytes: number;
  readonly poll: { readonly min: number; readonly max: number };
}

const OPTION_NAMES = ["url", "pool", "tablePrefix", "poolSize", "timeout", "maxBytes", "poll", "tls"];
const POLL_NAMES = ["min", "max"];
const QUERY_NAMES = ["tablePrefix", "poolSize", "timeout", "maxBytes", "pollMin", "pollMax", "tls", "socket"] as const;
const DEFAULT_MAX_BYTES = 4 * 1024 * 1024;
/** Half of what `max_allowed_packet` can be. */
const LARGEST_MAX_BYTES = 512 * 1024 * 1024;
const DEFAULT_PORT = 3306;
const MOST_CONNECTIONS = 1000;

const FORM = /^(?:mysql|mariadb):\/\/(?:([^@/?#]*)@)?(\[[^\]]+\]|[^:/?#@]*)(?::(\d+))?(?:\/([^/?#]*))?(?:\?([^#]*))?$/i;

/** @throws {ConfigError} naming the option that is wrong and what it may be. */
export function resolveOptions(options: MysqlOptions): Settings {
  assertOptionNames(options, OPTION_NAMES, "mysql()");
  assertOptionNames(options.poll ?? {}, POLL_NAMES, "poll of mysql()");
  const { url, pool } = options;
  if ((url === undefined) === (pool === undefined)) {
    throw new ConfigError("mysql() takes either a url, such as mysql://user:password@localhost/database, or a pool");
  }
  if (pool !== undefined && options.tls !== undefined)
    throw new ConfigError("mysql() takes tls with a url: a pool has its own");
  const parsed = url === undefined ? undefined : parseUrl(url);
  const merged = { ...parsed?.options, ...options, poll: { ...parsed?.options.poll, ...options.poll } };
  return {
    place: pool ?? withTls(parsed?.address, merged.tls),
    location: url === undefined ? "(the given pool)" : maskUrl(url),
    tablePrefix: checkPrefix(merged.tablePrefix ?? "taskwright_"),
    poolSize: checkWholeNumber("poolSize", merged.poolSize ?? 10, 1, MOST_CONNECTIONS),
    timeout: parseDuration(merged.timeout ?? "10s", "timeout"),
    maxBytes: checkWholeNumber("maxBytes", merged.maxBytes ?? DEFAULT_MAX_BYTES, 1, LARGEST_MAX_BYTES),
    poll: checkPoll(
      parseDuration(merged.poll.min ?? "10ms", "poll.min"),
      parseDuration(merged.poll.max ?? "1s", "poll.max"),
    ),
  };
}

interface Parsed {
  readonly address: Address;
  readonly options: Omit<MysqlOptions, "url" | "pool">;
}

/** @throws {ConfigError} when the URL has another form or another key. */
function parseUrl(url: string): Parsed {
  const match = FORM.exec(url);
  if (!match) {
    throw new ConfigError(`"${maskUrl(url)}" is not a mysql URL: write mysql://user:password@localhost:3306/database`);
  }
  const [, login, host = "", port, database = "", search = ""] = match;
  if (database === "") {
    throw new ConfigError(`"${maskUrl(url)}" names no database: write mysql://user:password@localhost:3306/database`);
  }
  const query = readQuery(search, QUERY_NAMES, "the mysql URL", url);
  return {
    address: {
      host: host === "" ? "127.0.0.1" : host.replace(/^\[|\]$/g, ""),
      port: Number(port ?? DEFAULT_PORT),
      database: decodePart(database, url),
      ...loginOf(login, url),
      ...(query.socket !== undefined && { socketPath: query.socket }),
    },
    options: optionsOf(query),
  };
}

function optionsOf(query: Partial<Record<string, string>>): Parsed["options"] {
  const { tablePrefix, poolSize, timeout, maxBytes, pollMin, pollMax, tls } = query;
  return {
    ...(tablePrefix !== undefined && { tablePrefix }),
    ...(poolSize !== undefined && { poolSize: Number(poolSize) }),
    ...(timeout !== undefined && { timeout }),
    ...(maxBytes !== undefined && { maxBytes: Number(maxBytes) }),
    ...(tls !== undefined && { tls: readFlag("tls", tls) }),
    poll: { ...(pollMin !== undefined && { min: pollMin }), ...(pollMax !== undefined && { max: pollMax }) },
  };
}

function loginOf(login: string | undefined, url: string): Pick<Address, "user" | "password"> {
  const { user = "", password = "" } = readLogin(login, url) ?? {};
  return { ...(user !== "" && { user }), ...(password !== "" && { password }) };
}

function withTls(address: Address | undefined, tls: MysqlOptions["tls"]): Address {
  if (address === undefined) throw new ConfigError("mysql() takes a url or a pool");
  if (tls === undefined || tls === false) return address;
  // mysql2 checks whose certificate it is only where it is told to, and then it knows names only.
  const verifyIdentity = isIP(address.host) === 0;
  return { ...address, ssl: { verifyIdentity, ...(tls === true ? {} : tls) } };
}

/** It stands in statements, and before names of up to 12 characters, of 64 in all. */
function checkPrefix(prefix: string): string {
  if (typeof prefix === "string" && /^[A-Za-z][A-Za-z0-9_]{0,39}$/.test(prefix)) return prefix;
  throw new ConfigError(`tablePrefix cannot be "${prefix}": a letter, then up to 39 letters, digits and underscores`);
}

function checkPoll(min: number, max: number): Settings["poll"] {
  if (min >= 1 && min <= max) return { min, max };
  throw new ConfigError(`poll cannot be from ${min} ms to ${max} ms: min is at least 1 ms, and at most max`);
}
