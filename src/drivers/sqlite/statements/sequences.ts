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
 * Cost: one row by its key.
 */
export function sequences(client: Client): Sequences {
  const take = client.prepare(
    "UPDATE taskwright_sequences SET value = value + ?1 WHERE name = ?2 RETURNING value - ?1 + 1 AS value",
  );
  const last = client.prepare("SELECT value FROM taskwright_sequences WHERE name = ?");
  return {
    take: (name, count) => value(take.all([count, name]), name),
    last: (name) => value(last.all([name]), name),
  };
}

function value(rows: ReturnType<ReturnType<Client["prepare"]>["all"]>, name: string): number {
  const [row] = rows;
  if (row === undefined) throw new Error(`the sequence ${name} is missing from taskwright_sequences`);
  return integer(row, "value");
}
