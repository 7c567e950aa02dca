import type { OutcomeRecord, TerminalState } from "../../../contracts/backend.js";
import type { SqlRow } from "../../../contracts/transaction.js";
import { bytes, encodeId, id, integer, optionalInteger } from "../cells.js";
import type { PooledSession, Session } from "../client/client.js";
import { byKey, NOW, type Parameter, paddedParts, repeat, rowParts, type Tables, toMicros, toMillis } from "../sql.js";

const STATES: readonly TerminalState[] = ["completed", "dead", "cancelled"];

/** Of a row that is there already: is the new one at least as late an attempt, or is it over? */
const NEWER = `VALUES(attempt) >= attempt OR expires <= ${NOW}`;

/**
 * Purpose: how jobs ended.
 * Callers: settle and cancel, in the transaction that ends the job; the backend.
 * Cost: two insertions an outcome, of which one is at the right edge.
 */
export function outcomes(tables: Tables, packet: number) {
  // `attempt` is written first: once it is the new one, it is no older, so the other columns follow it.
  const store = (count: number) =>
    `INSERT INTO ${tables.outcomes} (id, state, attempt, ttl, expires, body)
      VALUES ${repeat(`(?, ?, ?, ?, ${NOW} + ?, ?)`, count)}
      ON DUPLICATE KEY UPDATE attempt = IF(${NEWER}, VALUES(attempt), attempt),
        state = IF(${NEWER}, VALUES(state), state), ttl = IF(${NEWER}, VALUES(ttl), ttl),
        body = IF(${NEWER}, VALUES(body), body), expires = IF(${NEWER}, VALUES(expires), expires)`;
  const read = (count: number) =>
    `SELECT id, state, attempt, ttl, body FROM ${tables.outcomes}
      WHERE id IN (${repeat("?", count)}) AND (expires IS NULL OR expires > ${NOW})`;
  const live = (count: number) =>
    `SELECT id FROM ${byKey(tables.outcomes)}
      WHERE id IN (${repeat("?", count)}) AND (expires IS NULL OR expires > ${NOW}) FOR UPDATE`;
  const remove = (count: number) => `DELETE t FROM ${byKey(tables.outcomes)} WHERE id IN (${repeat("?", count)})`;
  const sweep = `DELETE FROM ${tables.outcomes} WHERE expires <= ${NOW} ORDER BY expires LIMIT ?`;

  return {
    /** Keeps outcomes, but none of which there is a live one of a later attempt. */
    async store(session: Session, records: readonly OutcomeRecord[]): Promise<void> {
      for (const part of rowParts(records, ({ body }) => body.length + 100, packet)) {
        await session.run(store(part.length), part.flatMap(toRow));
      }
    },
    async read(session: Session, ids: readonly string[]): Promise<OutcomeRecord[]> {
      const found: OutcomeRecord[] = [];
      for (const part of paddedParts(ids.map(encodeId))) {
        for (const row of await session.run(read(part.length), part)) found.push(toOutcome(row));
      }
      return found;
    },
    /** Deletes outcomes, and answers how many live ones there were. */
    async delete(session: PooledSession, ids: readonly string[]): Promise<number> {
      let deleted = 0;
      for (const part of paddedParts(ids.map(encodeId))) {
        deleted += (await session.run(live(part.length), part)).length;
        await session.run(remove(part.length), part);
      }
      return deleted;
    },
    /** Deletes up to `max` expired ones and answers how many. */
    sweep: (session: PooledSession, max: number) => session.change(sweep, [max]),
  };
}

function toRow({ id, state, attempt, ttl, body }: OutcomeRecord): Parameter[] {
  const kept = ttl === undefined ? null : toMicros(ttl);
  return [encodeId(id), STATES.indexOf(state), attempt, kept, kept, body];
}

function toOutcome(row: SqlRow): OutcomeRecord {
  const state = STATES[integer(row, "state")];
  if (state === undefined) throw new TypeError("the database holds an outcome of unknown state");
  const ttl = optionalInteger(row, "ttl");
  return {
    id: id(row),
    state,
    attempt: integer(row, "attempt"),
    body: bytes(row, "body"),
    ...(ttl !== undefined && { ttl: toMillis(ttl) }),
  };
}
