import type { DeadReason } from "../../contracts/broker.js";
import type {
  Inspector,
  JobPage,
  JobRecord,
  ListFilter,
  QueuedState,
  QueueSummary,
} from "../../contracts/inspector.js";
import { ConfigError } from "../../job/errors.js";
import { decodeHeaders } from "../../job/headers.js";
import { decodeId } from "../../job/id-bytes.js";
import { encodeBuffer } from "./broker.js";
import { bytes, integer, optionalBytes, optionalInteger, text } from "./cells.js";
import type { Shared } from "./consumer.js";
import { type Database, onlyRow, type Row } from "./database.js";

const STATES: readonly QueuedState[] = ["scheduled", "waiting", "active", "retrying", "dead"];

/** Where a job stands that has not ended. `l` is its lease. */
const STATE = (
  s: string,
): string => `CASE WHEN l.seq IS NOT NULL THEN 'active' WHEN j.due <= ${s}.now_ms() THEN 'waiting'
  WHEN j.retrying THEN 'retrying' ELSE 'scheduled' END`;

export class PostgresInspector implements Inspector {
  readonly #database: Database;
  readonly #shared: Shared;
  /** Quoted. */
  readonly #s: string;

  constructor(shared: Shared) {
    this.#shared = shared;
    this.#database = shared.database;
    this.#s = shared.database.schema;
  }

  /** Counts what there is, one job after the other: it takes longer the more there are. */
  async queues(): Promise<QueueSummary[]> {
    const rows = await this.#database.query(
      `SELECT x.queue, x.state, x.count, x.oldest FROM (
         SELECT c.queue, c.state, count(*) AS count, min(c.due) AS oldest FROM (
           SELECT j.queue, j.due, ${STATE(this.#s)} AS state
             FROM ${this.#s}.jobs j LEFT JOIN ${this.#s}.leased() l USING (seq)) c GROUP BY 1, 2
         UNION ALL SELECT d.queue, 'dead', count(*), NULL FROM ${this.#s}.dead d GROUP BY 1
         UNION ALL SELECT p.queue, 'paused', 0, NULL FROM ${this.#s}.pauses p) x ORDER BY x.queue COLLATE "C"`,
      [],
    );
    return summarize(rows);
  }

  async find(ids: readonly string[]): Promise<(JobRecord | undefined)[]> {
    if (ids.length === 0) return [];
    const rows = await this.#database.query(
      `${this.#live("j.id = ANY($1::bytea[])")} UNION ALL ${this.#dead("d.id = ANY($1::bytea[])")}`,
      [ids.map(encodeBuffer)],
    );
    const found = new Map(rows.map((row) => toRecord(row)).map((record) => [record.id, record]));
    return ids.map((id) => found.get(id));
  }

  #live(condition: string): string {
    return `SELECT j.seq, j.id, j.queue, j.rank, ${STATE(this.#s)} AS state,
        j.attempts + CASE WHEN l.seq IS NULL THEN 0 ELSE 1 END, j.losses, j.due, l.worker, NULL AS reason,
        j.headers, j.history, j.body
      FROM ${this.#s}.jobs j LEFT JOIN ${this.#s}.leased() l USING (seq) WHERE ${condition}`;
  }

  #dead(condition: string): string {
    return `SELECT d.seq, d.id, d.queue, d.rank, 'dead', d.attempts, d.losses, d.died, NULL, d.reason,
        d.headers, d.history, d.body
      FROM ${this.#s}.dead d WHERE ${condition}`;
  }

  /** In the order of publishing, all states together. */
  async list({ queue, state, limit, cursor }: ListFilter): Promise<JobPage> {
    const after = parseCursor(cursor);
    const live = this.#live(
      `j.seq > $1 AND ($2::text IS NULL OR j.queue = $2) AND ($3::text IS NULL OR ${STATE(this.#s)} = $3)`,
    );
    const dead = this.#dead("d.seq > $1 AND ($2::text IS NULL OR d.queue = $2) AND ($3::text IS NULL OR $3 = 'dead')");
    const rows = await this.#database.query(
      `(${live} ORDER BY j.seq LIMIT $4) UNION ALL (${dead} ORDER BY d.seq LIMIT $4) ORDER BY 1 LIMIT $4`,
      [after, queue ?? null, state ?? null, limit],
    );
    const jobs = rows.map((row) => toRecord(row));
    const last = rows.at(-1);
    return last === undefined || rows.length < limit ? { jobs } : { jobs, cursor: String(last[0]) };
  }

  async retry(ids: readonly string[]): Promise<string[]> {
    const rows = await this.#database.query(`SELECT ${this.#s}.revive($1::bytea[])`, [ids.map(encodeBuffer)]);
    this.#shared.work.tellAll();
    return inOrder(ids, rows);
  }

  async discard(ids: readonly string[]): Promise<string[]> {
    return inOrder(ids, await this.#database.query(`SELECT ${this.#s}.discard($1::bytea[])`, [ids.map(encodeBuffer)]));
  }

  async purge(queue: string, states: readonly QueuedState[]): Promise<number> {
    const rows = await this.#database.query(`SELECT ${this.#s}.purge($1, $2::text[])`, [queue, [...states]]);
    return integer(onlyRow(rows, this.#database.location)[0]);
  }

  async pause(queue: string): Promise<void> {
    await this.#database.query(`INSERT INTO ${this.#s}.pauses (queue) VALUES ($1) ON CONFLICT DO NOTHING`, [queue]);
  }

  async resume(queue: string): Promise<void> {
    await this.#database.query(
      `WITH gone AS (DELETE FROM ${this.#s}.pauses WHERE queue = $1)
       SELECT ${this.#s}.tell_work(jsonb_build_array(jsonb_build_array($1::text, 0)))`,
      [queue],
    );
  }
}

function inOrder(ids: readonly string[], rows: readonly Row[]): string[] {
  const found = new Set(rows.map(([id]) => decodeId(bytes(id))));
  return ids.filter((id) => found.delete(id));
}

interface Building {
  paused: boolean;
  readonly counts: Record<QueuedState, number>;
  oldestWaiting?: number;
}

function summarize(rows: readonly Row[]): QueueSummary[] {
  const queues = new Map<string, Building>();
  for (const [name, state, count, oldest] of rows) {
    const queue = queues.get(text(name)) ?? {
      paused: false,
      counts: { scheduled: 0, waiting: 0, active: 0, retrying: 0, dead: 0 },
    };
    queues.set(text(name), queue);
    const known = STATES.find((one) => one === state);
    if (known === undefined) queue.paused = true;
    else queue.counts[known] += integer(count);
    const since = known === "waiting" ? optionalInteger(oldest) : undefined;
    if (since !== undefined) queue.oldestWaiting = since;
  }
  return [...queues].map(([queue, rest]) => ({ queue, ...rest }));
}

function toRecord(row: Row): JobRecord {
  const [, id, queue, rank, state, attempt, losses, due, worker, reason, headers, history, body] = row;
  const past = optionalBytes(history);
  return {
    id: decodeId(bytes(id)),
    queue: text(queue),
    priority: 9 - integer(rank),
    body: bytes(body),
    state: STATES.find((one) => one === state) ?? "waiting",
    attempt: integer(attempt),
    losses: integer(losses),
    dueAt: integer(due),
    ...decodeHeaders(optionalBytes(headers)),
    ...(worker !== null && { worker: text(worker) }),
    ...(reason !== null && { reason: text(reason) as DeadReason }),
    ...(past !== undefined && { history: past }),
  };
}

function parseCursor(cursor: string | undefined): string {
  if (cursor === undefined) return "-1";
  if (!/^\d{1,18}$/.test(cursor)) throw new ConfigError(`"${cursor}" is not a cursor of an earlier page`);
  return cursor;
}
