import { type Capabilities, DEFAULT_CAPABILITIES } from "../../contracts/capabilities.js";
import type { Driver } from "../../contracts/driver.js";
import { connect } from "./connection.js";
import { openMigrator } from "./migrator.js";
import { type PostgresOptions, resolveOptions } from "./options.js";
import { migrationsOf } from "./schema/migrations.js";

export type { PgClient, PgPool } from "./client.js";
export type { PostgresOptions } from "./options.js";

const CAPABILITIES: Capabilities = { ...DEFAULT_CAPABILITIES, transactions: true };

/**
 * Jobs, outcomes and shared state in PostgreSQL 13 or later, also inside your own transactions. It needs `npm install pg`, and
 * its tables, which `taskwright migrate` makes.
 *
 * @param options See {@link PostgresOptions}; text is the URL.
 * @throws {ConfigError} when an option is wrong.
 *
 * @example
 * import { Taskwright } from "taskwright";
 * import { postgres } from "taskwright/drivers/postgres";
 *
 * const app = new Taskwright({ broker: postgres({ url: "postgres://localhost/shop", poolSize: 20 }) });
 */
export function postgres(options: PostgresOptions | string = {}): Driver {
  const settings = resolveOptions(typeof options === "string" ? { url: options } : options);
  const migrations = migrationsOf(settings.schema).map(({ number, name, sql }) => ({ number, name, sql }));
  return {
    name: "postgres",
    location: settings.location,
    capabilities: { ...CAPABILITIES, push: settings.listen },
    maxBytes: settings.maxBytes,
    migrations,
    migrator: (environment) => openMigrator(settings, environment),
    connect: (environment) => connect(settings, environment),
  };
}

/**
 * The postgres driver for a URL, in the forms of {@link PostgresOptions.url}.
 *
 * @throws {ConfigError} when the URL has another form or another key.
 */
export function fromUrl(url: string): Driver {
  return postgres({ url });
}
