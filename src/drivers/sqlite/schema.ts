import { ConfigError } from "../../job/errors.js";
import { integer } from "./cells.js";
import type { Client } from "./clients/client.js";

/**
 * The tables. A job's row in `jobs` holds what never changes (so that a large body is written once), and a small row
 * beside it says where the job stands; moving a job moves that row:
 *
 *     publish -> ready | scheduled -> leases -> (complete, cancel) gone
 *                  ^         ^          |  \
 *                  +---------+----------+   +-> dead
 *
 * Everything has the prefix `taskwright_`, and the version is in a table rather than in `PRAGMA user_version`, because
 * the file may be the application's own: enqueueing inside its transactions takes the same file.
 *
 * A waiting job with a body of 60 bytes takes 154 bytes, indexes included. Against one table with a state column and
 * partial indexes, claim and completion together cost 7 microseconds a job instead of 8 with a body of 60 bytes, 10 instead
 * of 13 with 1 kB, and 39 instead of 133 with 30 kB, because SQLite writes a changed row as a whole.
 */
const TABLES = `
CREATE TABLE taskwright_schema (version INTEGER NOT NULL) STRICT;

-- Numbers that only grow, taken once a batch. AUTOINCREMENT would write its table once a row.
CREATE TABLE taskwright_sequences (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO taskwright_sequences VALUES ('job', 0), ('outcome', 0), ('report', 0), ('line', 0), ('entry', 0);

CREATE TABLE taskwright_queues (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, paused INTEGER NOT NULL DEFAULT 0
) STRICT;

-- due: when its present wait ends or ended. Written again only when a job is put back with a delay.
CREATE TABLE taskwright_jobs (
  seq INTEGER PRIMARY KEY, id ANY NOT NULL UNIQUE, queue INTEGER NOT NULL, priority INTEGER NOT NULL,
  due INTEGER NOT NULL, expires INTEGER, headers BLOB, body BLOB NOT NULL
) STRICT;

-- What may be claimed, in the order of claiming: rank is 9 - priority, and of one rank the longest due is first.
-- claims counts leases and is never taken back; attempt, losses and cancel travel with the job.
CREATE TABLE taskwright_ready (
  queue INTEGER NOT NULL, rank INTEGER NOT NULL, due INTEGER NOT NULL, seq INTEGER NOT NULL,
  attempt INTEGER NOT NULL, losses INTEGER NOT NULL, claims INTEGER NOT NULL, cancel INTEGER NOT NULL,
  PRIMARY KEY (queue, rank, due, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE taskwright_scheduled (
  seq INTEGER PRIMARY KEY, queue INTEGER NOT NULL, rank INTEGER NOT NULL, due INTEGER NOT NULL, retrying INTEGER NOT NULL,
  attempt INTEGER NOT NULL, losses INTEGER NOT NULL, claims INTEGER NOT NULL, cancel INTEGER NOT NULL
) STRICT;
CREATE INDEX taskwright_scheduled_due ON taskwright_scheduled (queue, due, seq);

-- Active jobs. There are as many as workers can hold, so the sweep may look at all of them, and no index on until is kept.
CREATE TABLE taskwright_leases (
  seq INTEGER PRIMARY KEY, until INTEGER NOT NULL, worker TEXT NOT NULL,
  attempt INTEGER NOT NULL, losses INTEGER NOT NULL, claims INTEGER NOT NULL, cancel INTEGER NOT NULL
) STRICT;
CREATE INDEX taskwright_leases_cancel ON taskwright_leases (worker) WHERE cancel = 1;

CREATE TABLE taskwright_histories (seq INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;

CREATE TABLE taskwright_dead (
  seq INTEGER PRIMARY KEY, id ANY NOT NULL UNIQUE, queue INTEGER NOT NULL, priority INTEGER NOT NULL,
  due INTEGER NOT NULL, expires INTEGER, headers BLOB, body BLOB NOT NULL,
  attempt INTEGER NOT NULL, losses INTEGER NOT NULL, reason TEXT NOT NULL, history BLOB NOT NULL
) STRICT;
CREATE INDEX taskwright_dead_queue ON taskwright_dead (queue, seq);

-- n grows with each write, so that a watcher reads what is new in one step.
CREATE TABLE taskwright_outcomes (
  n INTEGER PRIMARY KEY, id ANY NOT NULL UNIQUE, state TEXT NOT NULL, attempt INTEGER NOT NULL,
  ttl INTEGER, expires INTEGER, body BLOB NOT NULL
) STRICT;
CREATE INDEX taskwright_outcomes_expires ON taskwright_outcomes (expires) WHERE expires IS NOT NULL;

CREATE TABLE taskwright_reports (
  n INTEGER PRIMARY KEY, id ANY NOT NULL UNIQUE, progress BLOB, version INTEGER NOT NULL, expires INTEGER NOT NULL
) STRICT;
CREATE INDEX taskwright_reports_expires ON taskwright_reports (expires);
CREATE TABLE taskwright_report_lines (
  id ANY NOT NULL, n INTEGER NOT NULL, line TEXT NOT NULL, PRIMARY KEY (id, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE taskwright_entries (
  key TEXT PRIMARY KEY, value BLOB NOT NULL, version INTEGER NOT NULL, expires INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX taskwright_entries_expires ON taskwright_entries (expires) WHERE expires IS NOT NULL;
CREATE TABLE taskwright_counters (
  key TEXT PRIMARY KEY, value INTEGER NOT NULL, expires INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX taskwright_counters_expires ON taskwright_counters (expires) WHERE expires IS NOT NULL;
`;

/** Each step brings a file from the version of its index to the next. */
const STEPS: readonly string[] = [TABLES];

/** The version that this code writes. */
export const SCHEMA_VERSION = STEPS.length;

/** The version of the file's tables; 0 where there are none. Cost: two look-ups, once a connection. */
export function schemaVersion(client: Client): number {
  const exists = client.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'taskwright_schema'");
  if (exists.all([]).length === 0) return 0;
  const [row] = client.prepare("SELECT version FROM taskwright_schema").all([]);
  return row === undefined ? 0 : integer(row, "version");
}

/**
 * Brings the file to this code's version. The caller holds a write transaction, so of many processes that start at once
 * one does it and the others find it done.
 *
 * @throws {ConfigError} when the file was written by a newer taskwright.
 */
export function migrate(client: Client, location: string): void {
  const version = schemaVersion(client);
  if (version > SCHEMA_VERSION) {
    throw new ConfigError(
      `${location}: the file was written by a newer taskwright (schema ${version}, this one knows ${SCHEMA_VERSION}): upgrade taskwright here, or choose another file`,
    );
  }
  if (version === SCHEMA_VERSION) return;
  for (const step of STEPS.slice(version)) client.exec(step);
  client.exec(`DELETE FROM taskwright_schema; INSERT INTO taskwright_schema VALUES (${SCHEMA_VERSION})`);
}
