import type { Report, ReportRecord } from "../../../contracts/backend.js";
import { encodeId, id, integer, optionalBytes, text } from "../cells.js";
import type { Client } from "../clients/client.js";

export interface Reports {
  /** Adds a report as number `n`, its log lines numbered from `line`. */
  add(report: Report, n: number, line: number, now: number): void;
  find(id: string, now: number): ReportRecord | undefined;
  /** Ids of the jobs that reported after number `n`. */
  after(n: number): string[];
  delete(id: string): void;
  /** Deletes up to `max` expired ones and answers how many. */
  sweep(now: number, max: number): number;
}

/**
 * Purpose: progress and log lines of running jobs.
 * Callers: the backend; the notifier (`after`), once a change.
 * Cost: about three statements a report, and one a log line.
 */
export function reports(client: Client): Reports {
  const expire = client.prepare("DELETE FROM taskwright_reports WHERE id = ? AND expires <= ? RETURNING id");
  const upsert = client.prepare(
    `INSERT INTO taskwright_reports (n, id, progress, version, expires) VALUES (?1, ?2, ?3, ?4, ?5)
     ON CONFLICT (id) DO UPDATE SET n = excluded.n, progress = coalesce(excluded.progress, progress),
       version = version + excluded.version, expires = excluded.expires`,
  );
  const addLine = client.prepare("INSERT INTO taskwright_report_lines VALUES (?, ?, ?)");
  const find = client.prepare("SELECT progress, version FROM taskwright_reports WHERE id = ? AND expires > ?");
  const lines = client.prepare("SELECT line FROM taskwright_report_lines WHERE id = ? ORDER BY n");
  const after = client.prepare("SELECT id FROM taskwright_reports WHERE n > ? ORDER BY n");
  const remove = client.prepare("DELETE FROM taskwright_reports WHERE id = ?");
  const removeLines = client.prepare("DELETE FROM taskwright_report_lines WHERE id = ?");
  const expired = client.prepare("SELECT id FROM taskwright_reports WHERE expires <= ? ORDER BY expires LIMIT ?");

  function deleteReport(id: string): void {
    remove.run([encodeId(id)]);
    removeLines.run([encodeId(id)]);
  }

  return {
    add({ id, progress, log = [], ttl }, n, line, now) {
      const key = encodeId(id);
      if (expire.all([key, now]).length > 0) removeLines.run([key]);
      upsert.run([n, key, progress ?? null, progress ? 1 : 0, Math.ceil(now + ttl)]);
      for (const [index, one] of log.entries()) addLine.run([key, line + index, one]);
    },
    find(id, now) {
      const [row] = find.all([encodeId(id), now]);
      if (row === undefined) return undefined;
      const progress = optionalBytes(row, "progress");
      const log = lines.all([encodeId(id)]).map((line) => text(line, "line"));
      return { ...(progress && { progress }), version: integer(row, "version"), log };
    },
    after: (n) => after.all([n]).map(id),
    delete: deleteReport,
    sweep(now, max) {
      const ids = expired.all([now, max]).map(id);
      ids.forEach(deleteReport);
      return ids.length;
    },
  };
}
