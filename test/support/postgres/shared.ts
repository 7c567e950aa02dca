import { systemClock } from "../../../src/clock.js";
import type { Driver, DriverEnvironment } from "../../../src/contracts/index.js";
import { postgres } from "../../../src/drivers/postgres/index.js";
import { type PostgresServer, startPostgres } from "./server.js";

let server: Promise<PostgresServer> | undefined;
let places = 0;

/**
 * The URL of an empty place on the one PostgreSQL of this process, such as
 * `postgres://taskwright@127.0.0.1:12345/postgres?schema=case_1`: a schema that nobody had before, with its tables.
 */
export async function postgresPlace(): Promise<string> {
  server ??= startPostgres();
  const { url } = await server;
  places += 1;
  const place = `${url}?schema=case_${places}`;
  await migrate(postgres(place));
  return place;
}

const SILENT = { debug() {}, info() {}, warn() {}, error() {} };

/** For drivers without an app around them. */
export const ENVIRONMENT: DriverEnvironment = { clock: systemClock, random: Math.random, logger: SILENT };

/** Brings the place of a driver to the schema that it needs. */
export async function migrate(driver: Driver): Promise<void> {
  const migrator = await driver.migrator?.(ENVIRONMENT);
  await migrator?.apply();
  await migrator?.close();
}
