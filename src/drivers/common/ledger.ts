import type { Migration, MigrationStatus } from "../../contracts/migrator.js";
import { SchemaError } from "../../job/errors.js";

/** A migration of this version, and what the ledger knows it by. */
export interface KnownMigration extends Migration {
  /** Tells whether what was applied is what is here. */
  readonly checksum: string;
}

/** A line of the ledger. */
export interface AppliedMigration {
  readonly number: number;
  readonly name: string;
  readonly checksum: string;
  /** Epoch ms. */
  readonly appliedAt: number;
}

/**
 * Is the ledger one that this version can go on from?
 *
 * @param where - For the reader: which tables, of which database.
 * @throws {SchemaError} when it has a migration that this version does not know, or one that was changed since.
 */
function checkLedger(applied: readonly AppliedMigration[], known: readonly KnownMigration[], where: string): void {
  for (const { number, name, checksum } of applied) {
    const ours = known.find((one) => one.number === number);
    if (ours === undefined) {
      throw new SchemaError(
        `${where} has migration ${number} (${name}), which this version of taskwright does not know: upgrade taskwright here`,
      );
    }
    if (ours.checksum !== checksum) {
      throw new SchemaError(
        `${where} has a migration ${number} (${name}) that is not the one of this version of taskwright: was it changed by hand, or is the ledger somebody else's?`,
      );
    }
  }
}

/** @throws {SchemaError} as `checkLedger` does, and when migrations are missing, naming the command that applies them. */
export function assertCurrent(
  applied: readonly AppliedMigration[],
  known: readonly KnownMigration[],
  where: string,
): void {
  checkLedger(applied, known, where);
  if (applied.length === known.length) return;
  const what =
    applied.length === 0
      ? "has no tables of taskwright yet"
      : `has ${applied.length} of the ${known.length} migrations that this version of taskwright needs`;
  throw new SchemaError(`${where} ${what}: run \`taskwright migrate\`, or call \`app.migrate()\``);
}

/** Each migration of this version, and when it was applied. */
export function statusOf(
  applied: readonly AppliedMigration[],
  known: readonly KnownMigration[],
  where: string,
): MigrationStatus[] {
  checkLedger(applied, known, where);
  return known.map(({ number, name, sql }) => {
    const line = applied.find((one) => one.number === number);
    return { number, name, sql, ...(line !== undefined && { appliedAt: line.appliedAt }) };
  });
}
