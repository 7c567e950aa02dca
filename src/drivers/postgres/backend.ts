import type { OutcomeRecord, Report, ReportRecord, ResultBackend } from "../../contracts/backend.js";
import { decodeId, encodeId } from "../../job/id-bytes.js";
import { encodeBuffer } from "./broker.js";
import { bytes, integer, optionalBytes, text } from "./cells.js";
import { type Database, onlyRow, type Queryable, type Row } from "./database.js";
import { storeCall, toOutcome } from "./outcome.js";

export class PostgresBackend implements ResultBackend {
  readonly #database: Database;
  /** Quoted. */
  readonly #s: string;

  constructor(database: Database) {
    this.#database = database;
    this.#s = database.schema;
  }

  async store(outcomes: readonly OutcomeRecord[]): Promise<void> {
    if (outcomes.length > 0) await this.#database.query(...storeCall(this.#s, outcomes));
  }

  async read(ids: readonly string[]): Promise<(OutcomeRecord | undefined)[]> {
    if (ids.length === 0) return [];
    const rows = await this.#database.query(
      `SELECT id, state, attempt, body FROM ${this.#s}.outcomes
        WHERE id = ANY($1::bytea[]) AND (expires IS NULL OR expires > ${this.#s}.now_ms())`,
      [ids.map(encodeBuffer)],
    );
    const found = new Map<string, OutcomeRecord>();
    for (const [key, ...rest] of rows) {
      const id = decodeId(bytes(key));
      found.set(id, toOutcome(id, rest));
    }
    return ids.map((id) => found.get(id));
  }

  async forget(ids: readonly string[]): Promise<number> {
    if (ids.length === 0) return 0;
    const rows = await this.#database.query(
      `WITH r AS (DELETE FROM ${this.#s}.reports WHERE id = ANY($1::bytea[])),
            l AS (DELETE FROM ${this.#s}.report_lines WHERE id = ANY($1::bytea[])),
            o AS (DELETE FROM ${this.#s}.outcomes WHERE id = ANY($1::bytea[]) RETURNING expires)
       SELECT count(*) FROM o WHERE o.expires IS NULL OR o.expires > ${this.#s}.now_ms()`,
      [ids.map(encodeBuffer)],
    );
    return integer(onlyRow(rows, this.#database.location)[0]);
  }

  async report(reports: readonly Report[]): Promise<void> {
    if (reports.length === 0) return;
    await this.#database.transaction(async (queryable) => {
      await queryable.query("SET LOCAL synchronous_commit = off", []);
      // In one order, so that two who report of the same jobs do not wait for each other.
      const ordered = [...reports].sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
      for (const report of ordered) await this.#addReport(queryable, report);
      const ids = [...new Set(reports.map(({ id }) => id))];
      await queryable.query(`SELECT ${this.#s}.tell_news('r', $1::bytea[])`, [ids.map(encodeBuffer)]);
    });
  }

  /** Sorting is stable, so lines of one job stay in their order. */
  async #addReport(queryable: Queryable, { id, progress, log, ttl }: Report): Promise<void> {
    const key = encodeId(id);
    await queryable.query(
      `WITH old AS (DELETE FROM ${this.#s}.report_lines l USING ${this.#s}.reports r
                     WHERE r.id = $1 AND l.id = r.id AND r.expires <= ${this.#s}.now_ms())
       INSERT INTO ${this.#s}.reports AS r (id, expires, version, progress)
       VALUES ($1, ${this.#s}.now_ms() + $2::bigint, $3::int, $4)
       ON CONFLICT (id) DO UPDATE SET expires = excluded.expires, version = r.version + excluded.version,
         progress = CASE WHEN r.expires <= ${this.#s}.now_ms() THEN excluded.progress
                         ELSE coalesce(excluded.progress, r.progress) END`,
      [key, Math.ceil(ttl), progress === undefined ? 0 : 1, progress ?? null],
    );
    if (log === undefined || log.length === 0) return;
    await queryable.query(`INSERT INTO ${this.#s}.report_lines (id, lines) VALUES ($1, $2)`, [
      key,
      JSON.stringify(log),
    ]);
  }

  async readReport(id: string): Promise<ReportRecord | undefined> {
    const [row] = await this.#database.query(
      `SELECT r.version, r.progress, ARRAY(SELECT l.lines FROM ${this.#s}.report_lines l WHERE l.id = r.id ORDER BY l.n)
         FROM ${this.#s}.reports r WHERE r.id = $1 AND r.expires > ${this.#s}.now_ms()`,
      [encodeId(id)],
    );
    return row && toReport(row);
  }

  /** Also deletes what has expired of the coordinator's, which has no sweep of its own. */
  async sweep(max: number): Promise<number> {
    let swept = 0;
    for (const [table, key] of EXPIRING) {
      if (swept >= max) break;
      swept += await this.#sweepTable(table, key, max - swept);
    }
    return swept;
  }

  /** Whoever else sweeps takes other rows. */
  async #sweepTable(table: string, key: string, max: number): Promise<number> {
    const expired = `SELECT ${key} FROM ${this.#s}.${table} WHERE expires <= ${this.#s}.now_ms()
      ORDER BY expires LIMIT $1 FOR UPDATE SKIP LOCKED`;
    const lines =
      table === "reports" ? `, l AS (DELETE FROM ${this.#s}.report_lines WHERE id IN (SELECT id FROM gone))` : "";
    const rows = await this.#database.query(
      `WITH p AS (SELECT set_config('synchronous_commit', 'off', true)),
            gone AS (DELETE FROM ${this.#s}.${table} WHERE ${key} IN (${expired}) RETURNING ${key})${lines}
       SELECT (SELECT count(*) FROM gone), (SELECT count(*) FROM p)`,
      [max],
    );
    return integer(onlyRow(rows, this.#database.location)[0]);
  }
}

const EXPIRING = [
  ["outcomes", "id"],
  ["reports", "id"],
  ["entries", "key"],
  ["counters", "key"],
] as const;

function toReport([version, progress, lines]: Row): ReportRecord {
  const newest = optionalBytes(progress);
  return {
    version: integer(version),
    log: Array.isArray(lines) ? lines.flatMap((line) => readLines(text(line))) : [],
    ...(newest !== undefined && { progress: newest }),
  };
}

function readLines(json: string): string[] {
  const lines: unknown = JSON.parse(json);
  return Array.isArray(lines) ? lines.map(String) : [];
}
