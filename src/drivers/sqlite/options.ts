import { type Duration, parseDuration } from "../../job/duration.js";
import { ConfigError } from "../../job/errors.js";
import { decodePart } from "../common/address.js";
import { assertOptionNames, oneOf, readQuery } from "../common/options.js";
import type { UserDatabase } from "./clients/adopt.js";
import { CLIENT_NAMES, type ClientName } from "./clients/client.js";

/** Where and how the sqlite driver keeps jobs. */
export interface SqliteOptions {
  /** The file, made when it is not there; its directory must be. Default `"./taskwright.db"`. */
  readonly path?: string;
  /**
   * When a commit is on the disk. Default `"FULL"`: an acknowledged job or outcome survives a crash of the machine.
   * `"NORMAL"`: it survives the death of every process, but a power cut may take the last moments of work with it (never
   * the consistency of the file).
   *
   * The price of `"FULL"` is one flush of the disk a batch; claims and heartbeats never wait for one. Jobs published each
   * second, in batches of 1, 100 and 1,000 (libsql, 2 cores, ext4): `"FULL"` 1,500, 100,000 and 152,000; `"NORMAL"` 10,500,
   * 149,000 and 222,000. better-sqlite3: 4,900, 130,000 and 242,000; 12,700, 226,000 and 305,000.
   */
  readonly synchronous?: "FULL" | "NORMAL";
  /** How long a call keeps trying while other processes hold the write lock. Default `"5s"`. */
  readonly busyTimeout?: Duration;
  /** The library that reads the file. Default: the first that is there, in the order of {@link CLIENT_NAMES}. */
  readonly client?: ClientName;
  /**
   * A database that you opened, to be used instead of opening `path`. Give taskwright a connection of its own: it sets
   * pragmas on it and begins transactions. It is left open at `close`.
   */
  readonly database?: UserDatabase;
}

/** Options with everything decided. */
export interface Settings {
  readonly path: string;
  readonly synchronous: "FULL" | "NORMAL";
  /** Milliseconds. */
  readonly busyTimeout: number;
  readonly client: ClientName | undefined;
  readonly database: UserDatabase | undefined;
}

const LEVELS = ["FULL", "NORMAL"] as const;
const OPTION_NAMES = ["path", "synchronous", "busyTimeout", "client", "database"];
const QUERY_NAMES = ["synchronous", "busyTimeout", "client"] as const;
const DEFAULT_PATH = "./taskwright.db";

/** @throws {ConfigError} naming the option that is wrong and what it may be. */
export function resolveOptions(options: SqliteOptions): Settings {
  assertOptionNames(options, OPTION_NAMES, "sqlite()");
  const { path = DEFAULT_PATH, synchronous = "FULL", busyTimeout = "5s", client, database } = options;
  if (typeof path !== "string" || path === "") throw new ConfigError("path is the name of a file, and it is empty");
  refuseMemory(path);
  return {
    path,
    synchronous: oneOf("synchronous", synchronous, LEVELS),
    busyTimeout: parseDuration(busyTimeout, "busyTimeout"),
    client: client && oneOf("client", client, CLIENT_NAMES),
    database,
  };
}

/**
 * Reads `sqlite:./jobs.db`, `sqlite:///var/lib/jobs.db` or `sqlite://jobs.db`, with `?synchronous=`, `?busyTimeout=` and
 * `?client=`.
 *
 * @throws {ConfigError} when the URL has another form or another key.
 */
export function parseUrl(url: string): SqliteOptions {
  const match = /^sqlite:(?:\/\/)?([^?#]*)(?:\?([^#]*))?$/i.exec(url);
  if (!match)
    throw new ConfigError(`"${url}" is not a sqlite URL: write sqlite:./taskwright.db or sqlite:///abs/path.db`);
  const path = decodePart(match[1] ?? "", url);
  return { ...(path !== "" && { path }), ...parseQuery(match[2] ?? "", url) };
}

function parseQuery(search: string, url: string): SqliteOptions {
  const { synchronous, busyTimeout, client } = readQuery(search, QUERY_NAMES, "the sqlite URL", url);
  return {
    ...(synchronous !== undefined && { synchronous: oneOf("synchronous", synchronous.toUpperCase(), LEVELS) }),
    ...(busyTimeout !== undefined && { busyTimeout }),
    ...(client !== undefined && { client: oneOf("client", client, CLIENT_NAMES) }),
  };
}

function refuseMemory(path: string): void {
  if (!/^(:memory:|file:)/.test(path)) return;
  throw new ConfigError(
    path === ":memory:"
      ? "sqlite::memory: would be seen by this process alone and lost with it: use the memory driver (memory:), which is made for that and faster"
      : `path is the name of a file, not a URI such as "${path}"`,
  );
}
