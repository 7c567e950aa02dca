import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FakeClock } from "taskwright/testing";
import { onTestFinished } from "vitest";
import type { Clock, Connection, DriverEnvironment, Lease, OutgoingJob } from "../../../src/contracts/index.js";
import type { UserDatabase } from "../../../src/drivers/sqlite/clients/adopt.js";
import { CLIENT_NAMES, type Client, type ClientName } from "../../../src/drivers/sqlite/clients/client.js";
import { loadClient } from "../../../src/drivers/sqlite/clients/load.js";
import { type SqliteOptions, sqlite } from "../../../src/drivers/sqlite/index.js";

/** The clients that can be loaded here: libsql on Node 20, `node:sqlite` beside it on later ones, better-sqlite3 where it is installed. */
export const CLIENTS: readonly ClientName[] = CLIENT_NAMES.filter((name) => {
  try {
    loadClient(name);
    return true;
  } catch {
    return false;
  }
});

/** The time of this machine. */
const SYSTEM_CLOCK: Clock = {
  now: () => Date.now(),
  schedule(callback, delay, keepAlive = false) {
    const timer = setTimeout(callback, delay);
    if (!keepAlive) timer.unref();
    return () => clearTimeout(timer);
  },
};

export function environment(clock: Clock = SYSTEM_CLOCK): DriverEnvironment {
  const silent = () => {};
  return { clock, random: Math.random, logger: { debug: silent, info: silent, warn: silent, error: silent } };
}

/** An empty directory until the test ends. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "taskwright-sqlite-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export function temporaryFile(): string {
  return join(temporaryDirectory(), "jobs.db");
}

/** A connection until the test ends. */
export async function connect(options: SqliteOptions, clock?: Clock): Promise<Contracts> {
  const connection = await sqlite(options).connect(environment(clock));
  onTestFinished(() => connection.close());
  return connection as Contracts;
}

/** The sqlite driver has all of them. */
export type Contracts = Required<Connection>;

/** A user's own open database, in the client's own class. */
export function openDatabase(client: ClientName, path: string): UserDatabase {
  const require = createRequire(import.meta.url);
  if (client === "node:sqlite") {
    const { DatabaseSync } = process.getBuiltinModule("node:sqlite") as never as DatabaseModule;
    return new DatabaseSync(path);
  }
  const Database = require(client) as new (path: string) => UserDatabase;
  return new Database(path);
}

interface DatabaseModule {
  readonly DatabaseSync: new (path: string) => UserDatabase;
}

export function openClient(client: ClientName, path: string): Client {
  const opened = loadClient(client)(path);
  onTestFinished(() => opened.close());
  return opened;
}

let jobs = 0;

/** A job with an id of its own. */
export function job(fields: Partial<OutgoingJob> = {}): OutgoingJob {
  return { id: `job-${++jobs}`, queue: "default", priority: 0, task: "task", body: Buffer.from("body"), ...fields };
}

export function consume({ broker }: Contracts, fields: { worker?: string; lease?: number } = {}) {
  return broker.consume({
    worker: "w",
    queues: ["default"],
    capacity: 100,
    lease: 30_000,
    onCancel: () => {},
    ...fields,
  });
}

export function complete(lease: Lease, outcome?: string) {
  const record = {
    id: lease.id,
    state: "completed",
    attempt: lease.attempt,
    body: Buffer.from(outcome ?? ""),
  } as const;
  return { kind: "complete", lease, ...(outcome !== undefined && { outcome: record }) } as const;
}

export { FakeClock };
