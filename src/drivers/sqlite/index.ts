import { type Capabilities, DEFAULT_CAPABILITIES } from "../../contracts/capabilities.js";
import type { Driver } from "../../contracts/driver.js";
import { connect } from "./connection.js";
import { parseUrl, resolveOptions, type SqliteOptions } from "./options.js";

export type { UserDatabase } from "./clients/adopt.js";
export type { BetterSqlite3Database, BetterSqlite3Statement } from "./clients/better-sqlite3.js";
export type { ClientName } from "./clients/client.js";
export type { NodeSqliteDatabase, NodeSqliteStatement } from "./clients/node-sqlite.js";
export type { SqliteOptions } from "./options.js";

const CAPABILITIES: Capabilities = { ...DEFAULT_CAPABILITIES, transactions: true };

/**
 * Jobs, outcomes and shared state in one SQLite file, for any number of processes on one machine. Nothing to install or
 * start: the file and its tables are made at the first connection.
 *
 * Do not put the file on a network file system: SQLite's locks do not reach over one.
 *
 * @param options See {@link SqliteOptions}; text is the path.
 * @throws {ConfigError} when an option is wrong.
 *
 * @example
 * import { Taskwright } from "taskwright";
 * import { sqlite } from "taskwright/drivers/sqlite";
 *
 * const app = new Taskwright({ broker: sqlite({ path: "./jobs.db", synchronous: "NORMAL" }) });
 */
export function sqlite(options: SqliteOptions | string = {}): Driver {
  const settings = resolveOptions(typeof options === "string" ? { path: options } : options);
  const location = settings.database === undefined ? `sqlite:${settings.path}` : "sqlite: (the given database)";
  return {
    name: "sqlite",
    location,
    capabilities: CAPABILITIES,
    connect: (environment) => connect(settings, location, environment),
  };
}

/**
 * The sqlite driver for a URL: `sqlite:./taskwright.db`, `sqlite:///var/lib/jobs.db` or `sqlite://jobs.db`, with
 * `?synchronous=NORMAL`, `?busyTimeout=5s` and `?client=node:sqlite` as in {@link SqliteOptions}.
 *
 * @throws {ConfigError} when the URL has another form or another key.
 */
export function fromUrl(url: string): Driver {
  return sqlite(parseUrl(url));
}
