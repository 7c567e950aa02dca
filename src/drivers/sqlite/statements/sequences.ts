import { integer } from "../cells.js";
import type { Client } from "../clients/client.js";

export type SequenceName = "job" | "outcome" | "report" | "line" | "entry";

/** Numbers that only grow. */
export interface Sequences {
  /** Takes `count` numbers, and answers the first. */
  take(name: SequenceName, count: number): number;
  /** The last number taken. */
  last(name: SequenceName): number;
}

/**
 * Purpose: numbers for jobs (their age), outcomes and reports (what is new), log lines, versions of entries.
 * Callers: `take` within each write that makes some, once a batch; `last` by the notifier, once a change.
 * Cost: one row by its key, for `take` twice. RETURNING would be one statement, but makes a temporary table:
 *   in a process that was idle it takes 89 microseconds, and the two take 36.
 */
export function sequences(client: Client): Sequences {
  const advance = client.prepare("UPDATE taskwright_sequences SET value = value + ? WHERE name = ?");
  const read = client.prepare("SELECT value FROM taskwright_sequences WHERE name = ?");
  const last = (name: SequenceName): number => value(read.all([name]), name);
  return {
    take(name, count) {
      advance.run([count, name]);
      return last(name) - count + 1;
    },
    last,
  };
}

function value(rows: ReturnType<ReturnType<Client["prepare"]>["all"]>, name: string): number {
  const [row] = rows;
  if (row === undefined) throw new Error(`the sequence ${name} is missing from taskwright_sequences`);
  return integer(row, "value");
}
