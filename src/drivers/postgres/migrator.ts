import type { DriverEnvironment } from "../../contracts/driver.js";
import type { Migration, MigrationStatus, Migrator } from "../../contracts/migrator.js";
import { type KnownMigration, statusOf } from "../common/ledger.js";
import { hearErrors, openPool } from "./client.js";
import { Database, type Queryable } from "./database.js";
import { readLedger } from "./ledger.js";
import type { Settings } from "./options.js";
import { migrationsOf } from "./schema/migrations.js";

/** Of the advisory lock that one who migrates holds, in any schema of the database. "taskwrig". */
const LOCK = "8385562693064157543";

/** A script may take long where tables are large, in ms. */
const TIMEOUT = 3_600_000;

export async function openMigrator(settings: Settings, environment: DriverEnvironment): Promise<Migrator> {
  const pool = settings.pool ?? (await openPool({ ...settings, size: 1 }));
  const stopHearing = hearErrors(pool, environment.logger);
  const database = new Database(pool, { ...settings, timeout: Math.max(settings.timeout, TIMEOUT) }, environment);
  return new PostgresMigrator(database, migrationsOf(settings.schema), async () => {
    stopHearing();
    if (settings.pool === undefined) await pool.end();
  });
}

class PostgresMigrator implements Migrator {
  readonly #database: Database;
  readonly #known: readonly KnownMigration[];
  readonly #end: () => Promise<void>;

  constructor(database: Database, known: readonly KnownMigration[], end: () => Promise<void>) {
    this.#database = database;
    this.#known = known;
    this.#end = end;
  }

  status(): Promise<MigrationStatus[]> {
    return this.#statusOn(this.#database);
  }

  async #statusOn(queryable: Queryable): Promise<MigrationStatus[]> {
    const { schema, location } = this.#database;
    return statusOf(await readLedger(queryable, schema), this.#known, `schema ${schema} of postgres at ${location}`);
  }

  async apply(onApplied: (migration: Migration) => void = () => {}): Promise<Migration[]> {
    const applied: Migration[] = [];
    for (;;) {
      const migration = await this.#applyNext();
      if (migration === undefined) return applied;
      applied.push(migration);
      onApplied(migration);
    }
  }

  /** One migration is one transaction, which begins by waiting for whoever is at it. */
  #applyNext(): Promise<Migration | undefined> {
    return this.#database.transaction(async (queryable) => {
      await queryable.query(`SELECT pg_advisory_xact_lock(${LOCK})`, []);
      const next = (await this.#statusOn(queryable)).find(({ appliedAt }) => appliedAt === undefined);
      if (next !== undefined) await queryable.query(next.sql, NO_PARAMETERS);
      return next;
    });
  }

  async close(): Promise<void> {
    if (this.#database.closed) return;
    this.#database.close();
    await this.#end();
  }
}

/** Without parameters pg sends a script of many statements as it is. */
const NO_PARAMETERS: readonly [] = [];
