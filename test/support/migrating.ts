import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { type Driver, type Migration, SchemaError } from "taskwright";
import type { MigrationStatus, Migrator } from "taskwright/contracts";
import { memory } from "taskwright/drivers/memory";

/** What the ledger of a {@link migratingDriver} knows: when each migration was applied, by its number. */
type Ledger = Readonly<Record<string, number>>;

/** The memory driver as if it needed tables: its ledger is a file. */
export function migratingDriver(file: string): Driver {
  const driver = memory();
  const migrations: Migration[] = [
    { number: 1, name: "tables", sql: "CREATE TABLE taskwright_jobs (id INT);\n" },
    { number: 2, name: "outcomes", sql: "CREATE TABLE taskwright_outcomes (id INT);\n" },
  ];
  return {
    ...driver,
    name: "migrating",
    location: `migrating:${file}`,
    migrations,
    migrator: async () => new FileMigrator(file, migrations),
    async connect(environment) {
      const missing = migrations.some(({ number }) => readLedger(file)[number] === undefined);
      if (missing) throw new SchemaError('the tables for jobs are missing or old: run "taskwright migrate"');
      return driver.connect(environment);
    },
  };
}

class FileMigrator implements Migrator {
  readonly #file: string;
  readonly #migrations: readonly Migration[];

  constructor(file: string, migrations: readonly Migration[]) {
    this.#file = file;
    this.#migrations = migrations;
  }

  async status(): Promise<MigrationStatus[]> {
    const ledger = readLedger(this.#file);
    if (Object.keys(ledger).length > this.#migrations.length)
      throw new SchemaError("the schema is newer than this version");
    return this.#migrations.map((migration) => {
      const appliedAt = ledger[migration.number];
      return appliedAt === undefined ? migration : { ...migration, appliedAt };
    });
  }

  async apply(): Promise<Migration[]> {
    const missing = (await this.status()).filter(({ appliedAt }) => appliedAt === undefined);
    const applied = Object.fromEntries(missing.map(({ number }) => [number, Date.now()]));
    writeFileSync(this.#file, JSON.stringify({ ...readLedger(this.#file), ...applied }));
    return missing;
  }

  async close(): Promise<void> {}
}

function readLedger(file: string): Ledger {
  return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : {};
}
