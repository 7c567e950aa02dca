import type { OutcomeRecord, TerminalState } from "../../../contracts/backend.js";
import { bytes, encodeId, id, integer, optionalInteger, text } from "../cells.js";
import type { Client, Parameter, Row } from "../clients/client.js";

export interface Outcomes {
  /** Keeps outcomes as number `first` and on, but none of which there is a live one of a later attempt. */
  store(outcomes: readonly OutcomeRecord[], first: number, now: number): void;
  find(id: string, now: number): OutcomeRecord | undefined;
  /** What was stored after number `n`, oldest first. */
  after(n: number): OutcomeRecord[];
  /** Answers whether there was a live one. */
  delete(id: string, now: number): boolean;
  /** Deletes up to `max` expired ones and answers how many. */
  sweep(now: number, max: number): number;
}

export const OUTCOMES_AFTER_SQL =
  "SELECT id, state, attempt, ttl, body FROM taskwright_outcomes WHERE n > ? ORDER BY n";

/** Rows of one INSERT, as for jobs. */
const ROWS = 16;

/**
 * Purpose: how jobs ended.
 * Callers: settle and cancel, in the transaction that ends the job; the backend; the notifier (`after`, or `find` where
 *   few wait), once a change.
 * Cost: three insertions an outcome, of which two are at the right edge; `after` walks along the primary key.
 */
export function outcomes(client: Client): Outcomes {
  const storeOne = client.prepare(storeSql(1));
  const storeMany = client.prepare(storeSql(ROWS));
  const find = client.prepare(
    `SELECT id, state, attempt, ttl, body FROM taskwright_outcomes
     WHERE id = ? AND (expires IS NULL OR expires > ?)`,
  );
  const after = client.prepare(OUTCOMES_AFTER_SQL);
  const remove = client.prepare(
    "DELETE FROM taskwright_outcomes WHERE id = ?1 RETURNING expires IS NULL OR expires > ?2 AS live",
  );
  const sweep = client.prepare(
    `DELETE FROM taskwright_outcomes WHERE n IN (
       SELECT n FROM taskwright_outcomes WHERE expires <= ? ORDER BY expires LIMIT ?)`,
  );
  return {
    store(outcomes, first, now) {
      let at = 0;
      for (; at + ROWS <= outcomes.length; at += ROWS) storeMany.run(parameters(outcomes, at, ROWS, first, now));
      for (; at < outcomes.length; at++) storeOne.run(parameters(outcomes, at, 1, first, now));
    },
    find(id, now) {
      const [row] = find.all([encodeId(id), now]);
      return row && toOutcome(row);
    },
    after: (n) => after.all([n]).map(toOutcome),
    delete(id, now) {
      const [row] = remove.all([encodeId(id), now]);
      return row !== undefined && integer(row, "live") === 1;
    },
    sweep: (now, max) => sweep.run([now, max]),
  };
}

function storeSql(rows: number): string {
  return `INSERT INTO taskwright_outcomes (n, id, state, attempt, ttl, expires, body)
    VALUES ${new Array(rows).fill("(?, ?, ?, ?, ?, ?, ?)").join(", ")}
    ON CONFLICT (id) DO UPDATE SET n = excluded.n, state = excluded.state, attempt = excluded.attempt,
      ttl = excluded.ttl, expires = excluded.expires, body = excluded.body
    WHERE excluded.attempt >= attempt OR expires <= ?`;
}

function parameters(
  outcomes: readonly OutcomeRecord[],
  from: number,
  count: number,
  first: number,
  now: number,
): Parameter[] {
  const values: Parameter[] = [];
  for (let at = from; at < from + count; at++) {
    const { id, state, attempt, ttl, body } = outcomes[at] as OutcomeRecord;
    const kept = ttl === undefined ? null : Math.ceil(ttl);
    values.push(first + at, encodeId(id), state, attempt, kept, kept === null ? null : now + kept, body);
  }
  values.push(now);
  return values;
}

const STATES: ReadonlySet<string> = new Set<TerminalState>(["completed", "dead", "cancelled"]);

function toOutcome(row: Row): OutcomeRecord {
  const state = text(row, "state");
  if (!STATES.has(state)) throw new TypeError(`the database holds an outcome of unknown state ${state}`);
  const ttl = optionalInteger(row, "ttl");
  return {
    id: id(row),
    state: state as TerminalState,
    attempt: integer(row, "attempt"),
    body: bytes(row, "body"),
    ...(ttl !== undefined && { ttl }),
  };
}
