import type { Report, ReportRecord } from "../../../contracts/backend.js";
import { bytes, encodeId, integer, name, optionalBytes } from "../cells.js";
import type { PooledSession, Session } from "../client/client.js";
import { byKey, NOW, paddedParts, repeat, type Tables, toMicros } from "../sql.js";

/**
 * Purpose: progress and log lines of running jobs.
 * Callers: the backend.
 * Cost: three statements a report, and one a log line.
 */
export function reports(tables: Tables) {
  const expired = `SELECT id FROM ${tables.reports} WHERE id = ? AND expires <= ${NOW} FOR UPDATE`;
  const upsert = `
    INSERT INTO ${tables.reports} (id, progress, version, expires) VALUES (?, ?, ?, ${NOW} + ?)
    ON DUPLICATE KEY UPDATE progress = COALESCE(VALUES(progress), progress), version = version + VALUES(version),
      expires = VALUES(expires)`;
  const addLine = `INSERT INTO ${tables.report_lines} (id, line) VALUES (?, ?)`;
  const find = `SELECT progress, version FROM ${tables.reports} WHERE id = ? AND expires > ${NOW}`;
  const lines = `SELECT line FROM ${tables.report_lines} WHERE id = ? ORDER BY n`;
  const passed = `SELECT id FROM ${tables.reports} WHERE expires <= ${NOW} ORDER BY expires LIMIT ? FOR UPDATE SKIP LOCKED`;
  const remove = (count: number) => `DELETE t FROM ${byKey(tables.reports)} WHERE id IN (${repeat("?", count)})`;
  const removeLines = (count: number) => `DELETE FROM ${tables.report_lines} WHERE id IN (${repeat("?", count)})`;

  async function deleteAll(session: Session, ids: readonly Uint8Array[]): Promise<void> {
    for (const part of paddedParts(ids)) {
      await session.run(removeLines(part.length), part);
      await session.run(remove(part.length), part);
    }
  }

  return {
    async add(session: Session, { id, progress, log = [], ttl }: Report): Promise<void> {
      const key = encodeId(id);
      if ((await session.run(expired, [key])).length > 0) await deleteAll(session, [key]);
      await session.run(upsert, [key, progress ?? null, progress ? 1 : 0, toMicros(ttl)]);
      for (const line of log) await session.run(addLine, [key, Buffer.from(line)]);
    },
    async find(session: Session, id: string): Promise<ReportRecord | undefined> {
      const key = encodeId(id);
      const [row] = await session.run(find, [key]);
      if (row === undefined) return undefined;
      const progress = optionalBytes(row, "progress");
      const log = (await session.run(lines, [key])).map((line) => name(line, "line"));
      return { ...(progress && { progress }), version: integer(row, "version"), log };
    },
    delete: (session: Session, ids: readonly string[]) => deleteAll(session, ids.map(encodeId)),
    /** Deletes up to `max` expired ones and answers how many. */
    async sweep(session: PooledSession, max: number): Promise<number> {
      const rows = await session.run(passed, [max]);
      await deleteAll(
        session,
        rows.map((row) => bytes(row, "id")),
      );
      return rows.length;
    },
  };
}
