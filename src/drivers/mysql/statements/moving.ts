import type { DeadReason } from "../../../contracts/broker.js";
import { encodeId } from "../cells.js";
import type { Session } from "../client/client.js";
import { byKey, NOW, paddedParts, repeat, sliceAt, type Tables, toMicros } from "../sql.js";
import type { StoredLease } from "./leases.js";
import { LATER, slices } from "./slices.js";

/**
 * Purpose: the ends of attempts, other than leaving the leases.
 * Callers: settle and sweep.
 * Cost: `delete` is one statement for up to 512 jobs. The others are for failures and shutdown: two to four statements a
 *   job.
 */
export function moving(tables: Tables) {
  const setDue = `UPDATE ${tables.jobs} SET due = ${NOW} + ? WHERE id = ?`;
  const { mark } = slices(tables);
  const putBack = (place: string) => `
    INSERT INTO ${tables.line} (queue, place, slice, at, n, id, priority, retrying, attempt, losses, cancel)
    SELECT queue, ${place}, ${sliceAt("due")}, due, n, id, priority, ?, ?, ?, ?
    FROM ${tables.jobs} WHERE id = ?`;
  const saveHistory = `UPDATE ${tables.jobs} SET history = ? WHERE id = ?`;
  const bury = `
    REPLACE INTO ${tables.dead} (id, queue, priority, died, expires, headers, body, attempt, losses, reason, history)
    SELECT id, queue, priority, ${NOW}, expires, headers, body, ?, ?, ?, ? FROM ${tables.jobs} WHERE id = ?`;
  const remove = (count: number) => `DELETE t FROM ${byKey(tables.jobs)} WHERE id IN (${repeat("?", count)})`;

  return {
    /** Puts a job that was leased back, due after `delay` ms; `undefined` leaves it the place that it had. */
    async putBack(session: Session, lease: StoredLease, delay: number | undefined): Promise<void> {
      const key = encodeId(lease.id);
      if (delay !== undefined) await session.run(setDue, [toMicros(Math.max(0, delay)), key]);
      const later = delay !== undefined && delay > 0;
      const sql = putBack(later ? String(LATER) : "9 - priority");
      await session.run(sql, [lease.attempt > 0 ? 1 : 0, lease.attempt, lease.losses, lease.cancel ? 1 : 0, key]);
      await mark(session, [lease.id], { later });
    },
    async saveHistory(session: Session, id: string, history: Uint8Array): Promise<void> {
      await session.run(saveHistory, [history, encodeId(id)]);
    },
    /** Copies a job among the dead letters. */
    async bury(session: Session, lease: StoredLease, reason: DeadReason, history: Uint8Array): Promise<void> {
      await session.run(bury, [lease.attempt, lease.losses, Buffer.from(reason), history, encodeId(lease.id)]);
    },
    async delete(session: Session, ids: readonly string[]): Promise<void> {
      for (const part of paddedParts(ids.map(encodeId))) await session.run(remove(part.length), part);
    },
  };
}
