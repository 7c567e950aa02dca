import type { Entry } from "../../../contracts/coordinator.js";
import { bytes, integer, text } from "../cells.js";
import type { Client, Row } from "../clients/client.js";

export interface Entries {
  find(key: string, now: number): Entry | undefined;
  put(entry: Entry, expires: number | null): void;
  /** Answers whether there was a live one. */
  delete(key: string, now: number): boolean;
  list(prefix: string, now: number): Entry[];
  /** Adds to a counter. `expires`: undefined leaves a live counter's time as it is. */
  increment(key: string, by: number, expires: number | undefined, now: number): number;
  /** Deletes up to `max` expired entries and counters, and answers how many. */
  sweep(now: number, max: number): number;
}

/** Sorts after every character that a key may go on with. */
const LAST_CHARACTER = "\u{10FFFF}";

/**
 * Purpose: the shared state of the coordinator.
 * Callers: the coordinator; the backend's sweep.
 * Cost: one row by its key; `list` walks along the keys of its prefix.
 */
export function entries(client: Client): Entries {
  const find = client.prepare(
    `SELECT key, value, version FROM taskwright_entries WHERE key = ? AND (expires IS NULL OR expires > ?)`,
  );
  const put = client.prepare(
    `INSERT INTO taskwright_entries (key, value, version, expires) VALUES (?, ?, ?, ?)
     ON CONFLICT (key) DO UPDATE SET value = excluded.value, version = excluded.version, expires = excluded.expires`,
  );
  const remove = client.prepare(
    "DELETE FROM taskwright_entries WHERE key = ?1 RETURNING expires IS NULL OR expires > ?2 AS live",
  );
  const list = client.prepare(
    `SELECT key, value, version FROM taskwright_entries
     WHERE key >= ? AND key < ? AND (expires IS NULL OR expires > ?) ORDER BY key`,
  );
  const increment = client.prepare(
    `INSERT INTO taskwright_counters (key, value, expires) VALUES (?1, ?2, ?3)
     ON CONFLICT (key) DO UPDATE SET
       value = CASE WHEN expires <= ?4 THEN excluded.value ELSE value + excluded.value END,
       expires = CASE WHEN excluded.expires IS NULL AND (expires IS NULL OR expires > ?4) THEN expires
         ELSE excluded.expires END
     RETURNING value`,
  );
  const sweeps = ["taskwright_entries", "taskwright_counters"].map((table) =>
    client.prepare(
      `DELETE FROM ${table} WHERE key IN (SELECT key FROM ${table} WHERE expires <= ? ORDER BY expires LIMIT ?)`,
    ),
  );
  return {
    find(key, now) {
      const [row] = find.all([key, now]);
      return row && toEntry(row);
    },
    put: ({ key, value, version }, expires) => void put.run([key, value, version, expires]),
    delete(key, now) {
      const [row] = remove.all([key, now]);
      return row !== undefined && integer(row, "live") === 1;
    },
    list: (prefix, now) => list.all([prefix, prefix + LAST_CHARACTER, now]).map(toEntry),
    increment: (key, by, expires, now) => integer(increment.all([key, by, expires ?? null, now])[0] ?? {}, "value"),
    sweep: (now, max) => sweeps.reduce((swept, sweep) => swept + sweep.run([now, max - swept]), 0),
  };
}

function toEntry(row: Row): Entry {
  return { key: text(row, "key"), value: bytes(row, "value"), version: integer(row, "version") };
}
