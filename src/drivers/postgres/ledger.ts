import type { AppliedMigration } from "../common/ledger.js";
import { integer, text } from "./cells.js";
import type { Queryable } from "./database.js";

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
