import type { Connection, DriverEnvironment, Ping } from "../../contracts/driver.js";
import { ConfigError } from "../../job/errors.js";
import { assertCurrent } from "../common/ledger.js";
import { PostgresBackend } from "./backend.js";
import { PostgresBroker } from "./broker.js";
import { Channels } from "./channels.js";
import { hearErrors, openPool } from "./client.js";
import type { Shared } from "./consumer.js";
import { PostgresCoordinator } from "./coordinator.js";
import { Database } from "./database.js";
import { Hints } from "./hints.js";
import { PostgresInspector } from "./inspector.js";
import { readLedger } from "./ledger.js";
import { PostgresNotifier } from "./notifier.js";
import type { Settings } from "./options.js";
import { migrationsOf } from "./schema/migrations.js";
import { SEARCH_TIMEOUT, Search } from "./search.js";
import { readServer, warningsOf } from "./server.js";
import { WorkNews } from "./work-news.js";

/** Connects, makes sure that the schema is the one that is needed, and gives the contracts. */
export async function connect(settings: Settings, environment: DriverEnvironment): Promise<Connection> {
  // One more than asked for: it listens.
  const size = settings.poolSize + (settings.listen ? 1 : 0);
  const pool = settings.pool ?? (await openPool({ ...settings, size }));
  const stopHearing = hearErrors(pool, environment.logger);
  const end = async (): Promise<void> => {
    stopHearing();
    if (settings.pool === undefined) await pool.end();
  };
  const database = new Database(pool, settings, environment);
  try {
    await assertReady(database, settings, environment);
  } catch (error) {
    await end();
    throw error;
  }
  return contracts(database, settings, environment, end);
}

async function assertReady(database: Database, settings: Settings, { logger }: DriverEnvironment): Promise<void> {
  const server = await readServer(database);
  database.noteTime(server.time);
  if (server.version < OLDEST) {
    throw new ConfigError(`${server.name} at ${settings.location} is too old: taskwright needs PostgreSQL 13 or later`);
  }
  const where = `schema ${database.schema} of postgres at ${settings.location}`;
  assertCurrent(await readLedger(database, database.schema), migrationsOf(settings.schema), where);
  for (const warning of warningsOf(server)) logger.warn({ location: settings.location }, warning);
}

const OLDEST = 130_000;

function contracts(
  database: Database,
  { listen, pollInterval }: Settings,
  { logger }: DriverEnvironment,
  end: () => Promise<void>,
): Connection {
  const channels = listen ? new Channels(database, logger, pollInterval) : undefined;
  const hints = new Hints();
  const search = new Search(database.patient(SEARCH_TIMEOUT), hints, logger);
  const shared: Shared = { database, hints, search, work: new WorkNews(hints), channels, pollInterval };
  const broker = new PostgresBroker(shared);
  return {
    broker,
    backend: new PostgresBackend(database),
    coordinator: new PostgresCoordinator(database),
    ...(channels !== undefined && { notifier: new PostgresNotifier(channels) }),
    inspector: new PostgresInspector(shared),
    ping: () => ping(database),
    close: async () => {
      if (database.closed) return;
      await broker.close();
      channels?.close();
      database.close();
      await end();
    },
  };
}

async function ping(database: Database): Promise<Ping> {
  const server = await readServer(database);
  database.noteTime(server.time);
  return { server: server.name, time: server.time, warnings: warningsOf(server) };
}
