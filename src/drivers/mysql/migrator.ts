import { createHash } from "node:crypto";
import type { Migration, MigrationStatus, Migrator } from "../../contracts/migrator.js";
import { BrokerError } from "../../job/errors.js";
import { type AppliedMigration, assertCurrent, statusOf } from "../common/ledger.js";
import { integer, name } from "./cells.js";
import type { PooledSession, Session } from "./client/client.js";
import { isMissingTable } from "./errors.js";
import { migrationsOf, type Step } from "./migrations.js";
import { tablesOf, toMillis } from "./sql.js";
import type { Store } from "./store.js";

/** How long to wait for somebody else who migrates, in s. */
const PATIENCE = 600;

/**
 * Does the database have the tables of this version?
 *
 * @throws {SchemaError} when it has none, older or newer ones. The message names the command that mends it.
 */
export async function assertSchema(store: Store, prefix: string, location: string): Promise<void> {
  const applied = await store.read((session) => readLedger(session, prefix));
  assertCurrent(applied, migrationsOf(prefix), nameOf(prefix, location));
}

/** For the reader of an error. */
function nameOf(prefix: string, location: string): string {
  return `mysql at ${location} (with the prefix ${prefix})`;
}

export class MysqlMigrator implements Migrator {
  readonly #store: Store;
  readonly #prefix: string;
  readonly #location: string;
  readonly #steps: readonly Step[];

  constructor(store: Store, prefix: string, location: string) {
    this.#store = store;
    this.#prefix = prefix;
    this.#location = location;
    this.#steps = migrationsOf(prefix);
  }

  status(): Promise<MigrationStatus[]> {
    return this.#store.read((session) => this.#statusOn(session));
  }

  apply(onApplied?: (migration: Migration) => void): Promise<Migration[]> {
    return this.#store.withConnection((session) => this.#locked(session, () => this.#applyMissing(session, onApplied)));
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  async #applyMissing(session: PooledSession, onApplied?: (migration: Migration) => void): Promise<Migration[]> {
    const missing = (await this.#statusOn(session)).filter(({ appliedAt }) => appliedAt === undefined);
    for (const migration of missing) {
      const { statements = [] } = this.#steps.find(({ number }) => number === migration.number) ?? {};
      for (const statement of statements) await session.command(statement);
      onApplied?.(migration);
    }
    return missing;
  }

  /** A lock of the server's that belongs to the connection, and ends with it. Its name may have 64 characters. */
  async #locked<T>(session: PooledSession, work: () => Promise<T>): Promise<T> {
    const [place] = await session.run("SELECT COALESCE(DATABASE(), '') AS place");
    const digest = createHash("sha256")
      .update(`${String(place?.place)}.${this.#prefix}`)
      .digest("hex");
    const lock = `'taskwright ${digest.slice(0, 40)}'`;
    const [answer] = await session.run(`SELECT GET_LOCK(${lock}, ${PATIENCE}) AS locked`);
    if (Number(answer?.locked) !== 1) {
      throw new BrokerError(
        `mysql at ${this.#location}: somebody else has been migrating for ${PATIENCE} s: try again`,
      );
    }
    try {
      return await work();
    } finally {
      // Also where the work failed because the connection is lost, and the lock with it.
      await session.run(`SELECT RELEASE_LOCK(${lock}) AS released`).catch(() => {});
    }
  }

  async #statusOn(session: Session): Promise<MigrationStatus[]> {
    return statusOf(await readLedger(session, this.#prefix), this.#steps, nameOf(this.#prefix, this.#location));
  }
}

async function readLedger(session: Session, prefix: string): Promise<AppliedMigration[]> {
  const { migrations } = tablesOf(prefix);
  try {
    const rows = await session.run(`SELECT number, name, checksum, applied FROM ${migrations} ORDER BY number`);
    return rows.map((row) => ({
      number: integer(row, "number"),
      name: name(row, "name"),
      checksum: name(row, "checksum"),
      appliedAt: toMillis(integer(row, "applied")),
    }));
  } catch (error) {
    if (isMissingTable(error)) return [];
    throw error;
  }
}
