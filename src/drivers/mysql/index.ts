import { type Capabilities, DEFAULT_CAPABILITIES } from "../../contracts/capabilities.js";
import type { Driver } from "../../contracts/driver.js";
import { connect, openMigrator } from "./connection.js";
import { migrationsOf } from "./migrations.js";
import { type MysqlOptions, resolveOptions } from "./options.js";

export type { Mysql2Connection, Mysql2Pool, Mysql2PoolConnection, Mysql2Statement } from "./client/mysql2.js";
export type { MysqlOptions } from "./options.js";

const CAPABILITIES: Capabilities = { ...DEFAULT_CAPABILITIES, transactions: true, push: false };

/**
 * Jobs, outcomes and shared state in MySQL 8 or later, or MariaDB 10.6 or later. It needs `npm install mysql2`, and its
 * tables, which `taskwright migrate` makes.
 *
 * An acknowledged job survives a crash of the server's machine where `innodb_flush_log_at_trx_commit` is 1, the default.
 * The server tells nobody of changes, so workers look for them: see `poll` of {@link MysqlOptions}.
 *
 * @param options See {@link MysqlOptions}; text is the URL.
 * @throws {ConfigError} when an option is wrong.
 *
 * @example
 * import { Taskwright } from "taskwright";
 * import { mysql } from "taskwright/drivers/mysql";
 *
 * const app = new Taskwright({ broker: mysql({ url: "mysql://shop:secret@localhost/shop", poll: { max: "250ms" } }) });
 */
export function mysql(options: MysqlOptions | string): Driver {
  const settings = resolveOptions(typeof options === "string" ? { url: options } : options);
  return {
    name: "mysql",
    location: settings.location,
    capabilities: CAPABILITIES,
    maxBytes: settings.maxBytes,
    migrations: migrationsOf(settings.tablePrefix).map(({ number, name, sql }) => ({ number, name, sql })),
    migrator: (environment) => openMigrator(settings, environment),
    connect: (environment) => connect(settings, environment),
  };
}

/**
 * The mysql driver for a URL, in the form of {@link MysqlOptions.url}.
 *
 * @throws {ConfigError} when the URL has another form or another key.
 */
export function fromUrl(url: string): Driver {
  return mysql({ url });
}
