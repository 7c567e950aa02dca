import type { Connection, DriverEnvironment, Ping } from "../../contracts/driver.js";
import type { Migrator } from "../../contracts/migrator.js";
import { MysqlBackend } from "./backend.js";
import { MysqlBroker } from "./broker.js";
import type { Pool } from "./client/client.js";
import { adoptPool, openPool } from "./client/mysql2.js";
import type { Shared } from "./consumer.js";
import { MysqlCoordinator } from "./coordinator.js";
import { readInfo } from "./info.js";
import { MysqlInspector } from "./inspector.js";
import { assertSchema, MysqlMigrator } from "./migrator.js";
import type { Settings } from "./options.js";
import { Poller } from "./poller.js";
import { tablesOf } from "./sql.js";
import { statementsOf } from "./statements/index.js";
import { Store } from "./store.js";
import { UserTransactions } from "./user-transaction.js";

/** The most bytes of jobs in one statement, and its part of what the server takes: as text, bytes are twice as long. */
const LARGEST_STATEMENT = 4 * 1024 * 1024;
const PACKET_PART = 4;
/** Changing the tables of a large database takes its time, in ms. */
const MIGRATION_TIMEOUT = 3_600_000;

/** Connects, makes sure that the tables are those of this version, and gives the contracts. */
export async function connect(settings: Settings, environment: DriverEnvironment): Promise<Connection> {
  const { clock, random, logger } = environment;
  const { location, tablePrefix, poll } = settings;
  const store = await openStore(settings, environment, settings.timeout);
  try {
    const info = await store.read((session) => readInfo(session, settings));
    for (const warning of info.warnings) logger.warn({ location }, warning);
    await assertSchema(store, tablePrefix, location);
    const packet = Math.min(LARGEST_STATEMENT, info.packet / PACKET_PART);
    const statements = statementsOf(tablesOf(tablePrefix), packet);
    const poller = new Poller(store, statements, clock, poll);
    const shared: Shared = {
      store,
      statements,
      poller,
      clock,
      transactions: new UserTransactions(location, info.snapshots),
    };
    return contracts(shared, new MysqlBroker(shared, random), () => ping(store, settings));
  } catch (error) {
    await store.close();
    throw error;
  }
}

function contracts(shared: Shared, broker: MysqlBroker, pingServer: () => Promise<Ping>): Connection {
  return {
    broker,
    backend: new MysqlBackend(shared),
    coordinator: new MysqlCoordinator(shared),
    inspector: new MysqlInspector(shared),
    ping: pingServer,
    close: async () => {
      if (shared.store.closed) return;
      await broker.close();
      shared.poller.close();
      await shared.store.close();
    },
  };
}

/** Connects for changes of the tables. */
export async function openMigrator(settings: Settings, environment: DriverEnvironment): Promise<Migrator> {
  const store = await openStore({ ...settings, poolSize: 1 }, environment, MIGRATION_TIMEOUT);
  try {
    await store.read((session) => readInfo(session, settings));
  } catch (error) {
    await store.close();
    throw error;
  }
  return new MysqlMigrator(store, settings.tablePrefix, settings.location);
}

async function openStore(settings: Settings, { clock, random }: DriverEnvironment, timeout: number): Promise<Store> {
  const { place, location, poolSize } = settings;
  const lent = "getConnection" in place;
  const pool: Pool = lent ? adoptPool(place, timeout) : await openPool(place, { poolSize, timeout });
  return new Store(pool, { location, clock, random, timeout, lent });
}

async function ping(store: Store, settings: Settings): Promise<Ping> {
  const { server, time, warnings } = await store.read((session) => readInfo(session, settings));
  return { server, time, warnings };
}
