import { integer, text } from "../cells.js";
import type { Client } from "../clients/client.js";

/** Queues by name and number. */
export interface Queues {
  /** The number of a queue, which is made when it is new. Called once a name and transaction. */
  require(name: string): number;
  setPaused(name: string, paused: boolean): void;
  /** Every queue ever used. */
  all(): StoredQueue[];
}

export interface StoredQueue {
  readonly id: number;
  readonly name: string;
  readonly paused: boolean;
}

/**
 * Purpose: queues as small numbers in the rows of jobs (8 bytes less, twice a job, for `"default"`), and their pauses.
 * Callers: `require` by publish, once a queue and batch; the others by the inspector.
 * Cost: one row by its unique name, or nothing once it is known: numbers are never taken back.
 *
 * @param remember Whether numbers are kept between transactions. Not on a user's connection, which may roll back what it
 *   showed us.
 */
export function queues(client: Client, remember: boolean): Queues {
  const find = client.prepare("SELECT id FROM taskwright_queues WHERE name = ?");
  const insert = client.prepare("INSERT INTO taskwright_queues (name) VALUES (?) RETURNING id");
  const pause = client.prepare("UPDATE taskwright_queues SET paused = ? WHERE id = ?");
  const all = client.prepare("SELECT id, name, paused FROM taskwright_queues ORDER BY name");
  const known = new Map<string, number>();

  function require(name: string): number {
    const cached = known.get(name);
    if (cached !== undefined) return cached;
    const [row] = find.all([name]);
    if (row === undefined) return integer(insert.all([name])[0] ?? {}, "id");
    // Only what was there before this transaction is remembered: what is inserted here may yet be rolled back.
    const id = integer(row, "id");
    if (remember) known.set(name, id);
    return id;
  }

  return {
    require,
    setPaused(name, paused) {
      pause.run([paused ? 1 : 0, require(name)]);
    },
    all: () =>
      all
        .all([])
        .map((row) => ({ id: integer(row, "id"), name: text(row, "name"), paused: integer(row, "paused") === 1 })),
  };
}
