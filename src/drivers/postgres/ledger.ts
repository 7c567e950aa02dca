import { SchemaError } from "../../job/errors.js";
import { integer, text } from "./cells.js";
import type { Queryable } from "./database.js";
import type { KnownMigration } from "./schema/migrations.js";

/** A line of the ledger. */
export interface AppliedMigration {
  readonly number: number;
  readonly name: string;
  readonly checksum: string;
  /** Epoch ms. */
  readonly appliedAt: number;
}

/** What was applied to the schema, in order. Nothing where there is no ledger. */
export async function readLedger(queryable: Queryable, quoted: string): Promise<AppliedMigration[]> {
  const [found] = await queryable.query("SELECT to_regclass($1) IS NOT NULL", [`${quoted}.migrations`]);
  if (found?.[0] !== true) return [];
  const rows = await queryable.query(
    `SELECT number, name, checksum, floor(extract(epoch FROM applied_at) * 1000)::bigint
       FROM ${quoted}.migrations ORDER BY number`,
    [],
  );
  return rows.map(([number, name, checksum, at]) => ({
    number: integer(number),
    name: text(name),
    checksum: text(checksum),
    appliedAt: integer(at),
  }));
}

/** @throws {SchemaError} when the ledger has a migration that this version does not know, or one that was changed since */
export function checkLedger(
  applied: readonly AppliedMigration[],
  known: readonly KnownMigration[],
  where: string,
): void {
  for (const { number, name, checksum } of applied) {
    const ours = known.find((one) => one.number === number);
    if (ours === undefined) {
      throw new SchemaError(
        `${where} has migration ${number} (${name}), which this version of taskwright does not know: upgrade taskwright here`,
      );
    }
    if (ours.checksum !== checksum) {
      throw new SchemaError(
        `${where} has a migration ${number} (${name}) that is not the one of this version of taskwright (${checksum}, not ${ours.checksum}): was it changed by hand?`,
      );
    }
  }
}

/** @throws {SchemaError} as `checkLedger` does, and when migrations are missing, naming the command that applies them */
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
  throw new SchemaError(`${where} ${what}: run \`taskwright migrate\``);
}
