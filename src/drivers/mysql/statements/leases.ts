import type { SqlRow } from "../../../contracts/transaction.js";
import { encodeId, encodeName, id, integer, name } from "../cells.js";
import type { PooledSession, Session } from "../client/client.js";
import { byKey, NOW, paddedParts, repeat, type Tables, toMicros } from "../sql.js";

/** A lease as it is stored. */
export interface StoredLease {
  readonly id: string;
  readonly token: number;
  readonly worker: string;
  readonly attempt: number;
  readonly losses: number;
  /** Somebody asked for the job to stop. */
  readonly cancel: boolean;
}

const COLUMNS = "id, token, worker, attempt, losses, cancel";

/**
 * Purpose: the jobs that run.
 * Callers: settle, extend, sweep and cancel. All lock leases before anything else, so that they cannot wait for one another
 *   in a circle.
 * Cost: one statement for up to 512 leases. `passed` reads all leases, as many as workers hold, and no index on their end
 *   has to be kept.
 */
export function leases(tables: Tables) {
  const locked = (count: number) =>
    `SELECT ${COLUMNS} FROM ${byKey(tables.leases)} WHERE id IN (${repeat("?", count)}) FOR UPDATE`;
  const extend = (count: number) =>
    `UPDATE ${byKey(tables.leases)} SET until = ${NOW} + ? WHERE id IN (${repeat("?", count)})`;
  const remove = (count: number) => `DELETE t FROM ${byKey(tables.leases)} WHERE id IN (${repeat("?", count)})`;
  const passed = `SELECT ${COLUMNS} FROM ${tables.leases} WHERE until <= ${NOW} LIMIT ? FOR UPDATE SKIP LOCKED`;
  const ofClaim = `SELECT ${COLUMNS} FROM ${tables.leases} WHERE token = ? FOR UPDATE SKIP LOCKED`;
  const requestCancel = `UPDATE ${tables.leases} SET cancel = 1 WHERE id = ?`;
  const note = `INSERT IGNORE INTO ${tables.cancels} (worker, id) VALUES (?, ?)`;
  const forget = `DELETE FROM ${tables.cancels} WHERE worker = ? AND id = ?`;

  return {
    /** Those of these ids that are leased, locked until the end of the transaction. */
    async lock(session: Session, ids: readonly string[]): Promise<Map<string, StoredLease>> {
      const found = new Map<string, StoredLease>();
      for (const part of paddedParts(ids.map(encodeId))) {
        for (const row of await session.run(locked(part.length), part)) found.set(id(row), toLease(row));
      }
      return found;
    },
    /** Leases that have passed, up to `max`, but for those that somebody settles or recovers at this moment. */
    passed: async (session: Session, max: number) => (await session.run(passed, [max])).map(toLease),
    /** What one claim leased. Reads all leases. */
    ofClaim: async (session: Session, token: number) => (await session.run(ofClaim, [token])).map(toLease),
    async extend(session: PooledSession, ids: readonly string[], ms: number): Promise<void> {
      for (const part of paddedParts(ids.map(encodeId))) {
        await session.run(extend(part.length), [toMicros(ms), ...part]);
      }
    },
    /** Ends leases, with what was noted of requests to stop. */
    async delete(session: Session, ended: readonly StoredLease[]): Promise<void> {
      for (const part of paddedParts(ended.map(({ id }) => encodeId(id)))) await session.run(remove(part.length), part);
      for (const { id, worker, cancel } of ended) {
        if (cancel) await session.run(forget, [encodeName(worker), encodeId(id)]);
      }
    },
    async requestCancel(session: Session, { id, worker }: StoredLease): Promise<void> {
      await session.run(requestCancel, [encodeId(id)]);
      await session.run(note, [encodeName(worker), encodeId(id)]);
    },
  };
}

function toLease(row: SqlRow): StoredLease {
  return {
    id: id(row),
    token: integer(row, "token"),
    worker: name(row, "worker"),
    attempt: integer(row, "attempt"),
    losses: integer(row, "losses"),
    cancel: integer(row, "cancel") === 1,
  };
}
