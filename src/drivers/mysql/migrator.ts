import { createHash } from "node:crypto";
import type { Migration, MigrationStatus, Migrator } from "../../contracts/migrator.js";
import { BrokerError, SchemaError } from "../../job/errors.js";
import { integer, name } from "./cells.js";
import type { PooledSession, Session } from "./client/client.js";
import { isMissingTable } from "./errors.js";
import { migrationsOf, NEWEST, type Step } from "./migrations.js";
import { tablesOf, toMillis } from "./sql.js";
import type { Store } from "./store.js";

/** How long to wait for somebody else who migrates, in s. */
const PATIENCE = 600;

/** What the ledger says of a migration. */
interface Applied {
  readonly number: number;
  readonly name: string;
  readonly checksum: string;
  /** Epoch ms. */
  readonly at: number;
}

/**
 * Does the database have the tables of this version?
 *
 * @throws {SchemaError} when it has none, older or newer ones. The message names the command that mends it.
 */
export async function assertSchema(store: Store, prefix: string, location: string): Promise<void> {
  const applied = await store.read((session) => readLedger(session, prefix));
  const newest = Math.max(0, ...applied.map(({ number }) => number));
  assertKnown(newest, location);
  if (applied.length === NEWEST) return;
  const what = newest === 0 ? "has no tables of taskwright" : `is at migration ${newest} of ${NEWEST}`;
  throw new SchemaError(
    `mysql at ${location} ${what} (with the prefix ${prefix}): run \`taskwright migrate\`, or call \`app.migrate()\``,
  );
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
    return this.#store.read(async (session) => {
      const applied = await this.#applied(session);
      return this.#steps.map((step) => {
        const found = applied.get(step.number);
        return { ...toMigration(step), ...(found && { appliedAt: found.at }) };
      });
    });
  }

  apply(onApplied?: (migration: Migration) => void): Promise<Migration[]> {
    return this.#store.withConnection((session) => this.#locked(session, () => this.#applyMissing(session, onApplied)));
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  async #applyMissing(session: PooledSession, onApplied?: (migration: Migration) => void): Promise<Migration[]> {
    const applied = await this.#applied(session);
    const done: Migration[] = [];
    for (const step of this.#steps) {
      if (applied.has(step.number)) continue;
      for (const statement of step.statements) await session.command(statement);
      const migration = toMigration(step);
      done.push(migration);
      onApplied?.(migration);
    }
    return done;
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

  async #applied(session: Session): Promise<Map<number, Applied>> {
    const applied = new Map((await readLedger(session, this.#prefix)).map((one) => [one.number, one]));
    assertKnown(Math.max(0, ...applied.keys()), this.#location);
    for (const { number, name, checksum } of this.#steps) {
      const found = applied.get(number);
      if (found === undefined || found.checksum === checksum) continue;
      throw new SchemaError(
        `mysql at ${this.#location}: migration ${number} (${name}) is not the one that was applied there (${found.name}): was it changed by hand, or is the table ${tablesOf(this.#prefix).migrations} somebody else's?`,
      );
    }
    return applied;
  }
}

function assertKnown(newest: number, location: string): void {
  if (newest <= NEWEST) return;
  throw new SchemaError(
    `mysql at ${location} is at migration ${newest}, and this taskwright knows ${NEWEST}: upgrade taskwright here`,
  );
}

async function readLedger(session: Session, prefix: string): Promise<Applied[]> {
  const { migrations } = tablesOf(prefix);
  try {
    const rows = await session.run(`SELECT number, name, checksum, applied FROM ${migrations} ORDER BY number`);
    return rows.map((row) => ({
      number: integer(row, "number"),
      name: name(row, "name"),
      checksum: name(row, "checksum"),
      at: toMillis(integer(row, "applied")),
    }));
  } catch (error) {
    if (isMissingTable(error)) return [];
    throw error;
  }
}

function toMigration({ number, name, sql }: Step): Migration {
  return { number, name, sql };
}
