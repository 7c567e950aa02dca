import { statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { Connection, DriverEnvironment, Ping } from "../../contracts/driver.js";
import { ConfigError } from "../../job/errors.js";
import { SqliteBackend } from "./backend.js";
import { type Shared, SqliteBroker } from "./broker.js";
import { text } from "./cells.js";
import { Checkpointer, hasWalResetBug } from "./checkpointer.js";
import { adopt } from "./clients/adopt.js";
import type { Client } from "./clients/client.js";
import { loadClient } from "./clients/load.js";
import { SqliteCoordinator } from "./coordinator.js";
import { isBusy, toTaskwrightError } from "./errors.js";
import { SqliteInspector } from "./inspector.js";
import { SqliteNotifier } from "./notifier.js";
import type { Settings } from "./options.js";
import { migrate, SCHEMA_VERSION, schemaVersion } from "./schema.js";
import { prepareStatements } from "./statements/index.js";
import { BLOCKING_WAIT, Store } from "./store.js";
import { mainFile, UserTransactions } from "./user-transaction.js";
import { Watcher } from "./watcher.js";

/** An open file, before there is anything in it to speak to. */
interface OpenFile {
  readonly client: Client;
  /** Absolute. */
  readonly path: string;
  readonly ours: boolean;
}

/** Opens the file, brings its tables to this version, and gives the contracts. */
export async function connect(
  settings: Settings,
  location: string,
  environment: DriverEnvironment,
): Promise<Connection> {
  const file = settings.database === undefined ? openPath(settings, location) : adoptDatabase(settings.database);
  try {
    return await open(file, settings, location, environment);
  } catch (error) {
    if (file.ours) file.client.close();
    throw toTaskwrightError(error, location);
  }
}

function openPath(settings: Settings, location: string): OpenFile {
  const path = resolve(settings.path);
  const openFile = loadClient(settings.client);
  assertCanHoldFile(path);
  try {
    const client = openFile(path);
    return { client, path, ours: true };
  } catch (error) {
    throw toTaskwrightError(error, location);
  }
}

function adoptDatabase(database: unknown): OpenFile {
  const client = adopt(database, "database");
  const path = mainFile(client);
  if (path === "") throw new ConfigError("database is in memory: open it on a file, or use the memory driver");
  return { client, path, ours: false };
}

/** The clients say of all this only that they "cannot open". */
function assertCanHoldFile(path: string): void {
  const directory = dirname(path);
  if (!statSync(directory, { throwIfNoEntry: false })?.isDirectory()) {
    throw new ConfigError(`the directory ${directory} does not exist: create it, or choose another path`);
  }
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) {
    throw new ConfigError(`${path} is a directory: the path is that of a file, such as ${path}/taskwright.db`);
  }
}

async function open(
  file: OpenFile,
  settings: Settings,
  location: string,
  environment: DriverEnvironment,
): Promise<Connection> {
  const { client } = file;
  const { clock, logger } = environment;
  client.exec(`PRAGMA busy_timeout = ${BLOCKING_WAIT}`);
  const opening = new Store(client, location, settings, environment);
  await opening.read(() => prepareFile(client, settings));
  // Even this one waits where another process has just died: SQLite then repairs its log, and locks everybody out meanwhile.
  const sqlite = await opening.read(() => sqliteVersion(client));
  const schema = await opening.read(() => schemaVersion(client));
  if (schema !== SCHEMA_VERSION) await opening.write("durable", () => migrate(client, location));

  const checkpointer = hasWalResetBug(sqlite) ? new Checkpointer(client, file.path) : undefined;
  const store = new Store(client, location, settings, environment, () => checkpointer?.afterCommit());
  const watcher = new Watcher(client, file.path, clock, (error) => {
    if (!isBusy(error)) logger.warn({ error, location }, "the sqlite file could not be watched");
  });
  const transactions = new UserTransactions(store, watcher, clock, file.path);
  const shared: Shared = { store, watcher, clock, transactions, statements: prepareStatements(client) };
  const broker = new SqliteBroker(shared);
  return {
    broker,
    backend: new SqliteBackend(shared),
    coordinator: new SqliteCoordinator(shared),
    notifier: new SqliteNotifier(shared),
    inspector: new SqliteInspector(shared),
    ping: async () => ping(shared, sqlite, settings),
    close: () => close(shared, broker, checkpointer, file),
  };
}

/** Both stay with the connection; the journal mode also with the file. */
function prepareFile(client: Client, settings: Settings): void {
  const [row] = client.prepare("PRAGMA journal_mode = WAL").all([]);
  const mode = row && text(row, "journal_mode");
  if (mode !== "wal") {
    throw new ConfigError(`the file cannot be in WAL mode (it is in ${mode}): is its file system local and writable?`);
  }
  client.exec(`PRAGMA synchronous = ${settings.synchronous}`);
}

async function ping({ store }: Shared, version: string, settings: Settings): Promise<Ping> {
  const { client } = store;
  await store.read(() => client.prepare("SELECT count(*) AS count FROM taskwright_queues").all([]));
  return {
    server: `SQLite ${version} (${client.name})`,
    time: store.now(),
    warnings: warnings(version, settings),
  };
}

function warnings(version: string, { synchronous }: Settings): string[] {
  const found: string[] = [];
  if (synchronous === "NORMAL") {
    found.push("synchronous=NORMAL: a power cut may lose the last moments of work.");
  }
  if (hasWalResetBug(version)) {
    found.push(
      `SQLite ${version} has the WAL-reset bug; taskwright works around it, but other programs that write to this file should use 3.51.3 or later.`,
    );
  }
  return found;
}

async function close(
  { store, watcher }: Shared,
  broker: SqliteBroker,
  checkpointer: Checkpointer | undefined,
  { client, ours }: OpenFile,
): Promise<void> {
  if (store.closed) return;
  await broker.close();
  watcher.close();
  store.close();
  checkpoint(client, checkpointer);
  if (ours) client.close();
}

/** Leaves a short log to whoever opens the file next. Nothing is lost without it, so nothing may fail because of it. */
function checkpoint(client: Client, checkpointer: Checkpointer | undefined): void {
  try {
    if (checkpointer) checkpointer.checkpoint();
    else client.prepare("PRAGMA wal_checkpoint(PASSIVE)").all([]);
    checkpointer?.close();
  } catch {
    // The disk is full, or the user has closed the database that was lent.
  }
}

function sqliteVersion(client: Client): string {
  const [row] = client.prepare("SELECT sqlite_version() AS version").all([]);
  return text(row ?? {}, "version");
}
