import { createHash } from "node:crypto";
import type { Migration } from "../../../contracts/migrator.js";
import { functions } from "./functions.js";
import { tables } from "./tables.js";

interface Step {
  readonly name: string;
  readonly script: (schema: string) => string;
}

/** In order. One that was released is never changed: what is to change is a new step. */
const STEPS: readonly Step[] = [
  { name: "tables", script: tables },
  { name: "functions", script: functions },
];

/** A migration, and what the ledger knows it by. */
export interface KnownMigration extends Migration {
  /** Of the script for a schema of the usual name, so that it is the same in all schemas. */
  readonly checksum: string;
}

/** What the driver needs in this schema. */
export function migrationsOf(schema: string): readonly KnownMigration[] {
  return STEPS.map(({ name, script }, index) => {
    const number = index + 1;
    const checksum = createHash("sha256").update(script("taskwright")).digest("hex").slice(0, 16);
    const quoted = `"${schema}"`;
    const ledger = `INSERT INTO ${quoted}.migrations (number, name, checksum) VALUES (${number}, '${name}', '${checksum}');`;
    return { number, name, checksum, sql: `${script(quoted).trim()}\n\n${ledger}\n` };
  });
}
