import { createHash } from "node:crypto";
import type { KnownMigration } from "../../common/ledger.js";
import { byKey } from "./by-key.js";
import { functions, SETTINGS } from "./functions.js";
import { putBack } from "./settling.js";
import { tables } from "./tables.js";

interface Step {
  readonly name: string;
  readonly script: (schema: string) => string;
}

/** In order. One that was released is never changed: what is to change is a new step. */
const STEPS: readonly Step[] = [
  { name: "tables", script: tables },
  { name: "functions", script: functions },
  { name: "by_key", script: (s) => byKey(s, SETTINGS) },
  // A job that is given back for later after a failed attempt is still retrying.
  {
    name: "put_back",
    script: (s) => putBack(s, SETTINGS, "CREATE OR REPLACE FUNCTION", "item->>0 = 'retry' OR j.attempts > 0"),
  },
];

/** What the driver needs in this schema. */
export function migrationsOf(schema: string): readonly KnownMigration[] {
  return STEPS.map(({ name, script }, index) => {
    const number = index + 1;
    // Of the script for a schema of the usual name, so that it is the same in all schemas.
    const checksum = createHash("sha256").update(script("taskwright")).digest("hex").slice(0, 16);
    const quoted = `"${schema}"`;
    const ledger = `INSERT INTO ${quoted}.migrations (number, name, checksum) VALUES (${number}, '${name}', '${checksum}');`;
    return { number, name, checksum, sql: `${script(quoted).trim()}\n\n${ledger}\n` };
  });
}
