import { createHash } from "node:crypto";
import type { KnownMigration } from "../common/ledger.js";
import { NOW, sliceAt, type Tables, tablesOf } from "./sql.js";

/** A migration as it is applied: statement by statement. */
export interface Step extends KnownMigration {
  /** MySQL commits after each of them, so each must be safe to run again: a crash may come after any. */
  readonly statements: readonly string[];
}

/** Names as bytes: 255 characters of four, which sort and compare by nothing but themselves. */
const NAME = "VARBINARY(1020) NOT NULL";
/** A UUID's 16 bytes, or a name behind a mark. */
const ID = "VARBINARY(1024) NOT NULL";
const OPTIONS = "ENGINE=InnoDB ROW_FORMAT=DYNAMIC";

function ledger({ migrations }: Tables): string {
  return `CREATE TABLE IF NOT EXISTS ${migrations} (
  number INT NOT NULL PRIMARY KEY, name VARBINARY(255) NOT NULL, checksum VARBINARY(64) NOT NULL, applied BIGINT NOT NULL
) ${OPTIONS}`;
}

/**
 * A job's row in `jobs` holds what never changes (so that a large body is written once), and a small row beside it says
 * where the job stands; moving a job moves that row:
 *
 *     publish -> line -> leases -> (complete, cancel) gone
 *                  ^       |  \
 *                  +-------+   +-> dead
 *
 * `line` is in the order of claiming: `place` is 9 - priority, and 10 for what is not due yet; of one place the longest due
 * is first, and of one batch the first. Times are microseconds since the epoch. `claiming.ts` has the figures that chose
 * these tables. A generated id grows with time, so its rows are added at the right edge, and no second key is needed.
 */
function tables(t: Tables): string[] {
  return [
    ledger(t),
    `CREATE TABLE IF NOT EXISTS ${t.jobs} (
  id ${ID} PRIMARY KEY, queue ${NAME}, priority TINYINT NOT NULL, n INT NOT NULL, due BIGINT NOT NULL, expires BIGINT,
  headers LONGBLOB, history LONGBLOB, body LONGBLOB NOT NULL
) ${OPTIONS}`,
    `CREATE TABLE IF NOT EXISTS ${t.line} (
  queue ${NAME}, place TINYINT NOT NULL, at BIGINT NOT NULL, n INT NOT NULL, id ${ID},
  priority TINYINT NOT NULL, retrying TINYINT NOT NULL, attempt INT NOT NULL, losses INT NOT NULL, cancel TINYINT NOT NULL,
  PRIMARY KEY (queue, place, at, n, id)
) ${OPTIONS}`,
    // Active jobs. There are as many as workers can hold, so a sweep may look at all of them: no index on until is kept.
    `CREATE TABLE IF NOT EXISTS ${t.leases} (
  id ${ID} PRIMARY KEY, queue ${NAME}, token BIGINT NOT NULL, until BIGINT NOT NULL, worker ${NAME},
  attempt INT NOT NULL, losses INT NOT NULL, cancel TINYINT NOT NULL
) ${OPTIONS}`,
    // Leases of which cancel is 1, for the polls of workers.
    `CREATE TABLE IF NOT EXISTS ${t.cancels} (worker ${NAME}, id ${ID}, PRIMARY KEY (worker, id)) ${OPTIONS}`,
    `CREATE TABLE IF NOT EXISTS ${t.pauses} (queue ${NAME} PRIMARY KEY) ${OPTIONS}`,
    `CREATE TABLE IF NOT EXISTS ${t.dead} (
  id ${ID} PRIMARY KEY, queue ${NAME}, priority TINYINT NOT NULL, died BIGINT NOT NULL, expires BIGINT,
  headers LONGBLOB, body LONGBLOB NOT NULL, attempt INT NOT NULL, losses INT NOT NULL,
  reason VARBINARY(32) NOT NULL, history LONGBLOB NOT NULL, KEY by_queue (queue, id)
) ${OPTIONS}`,
    `CREATE TABLE IF NOT EXISTS ${t.outcomes} (
  id ${ID} PRIMARY KEY, state TINYINT NOT NULL, attempt INT NOT NULL, ttl BIGINT, expires BIGINT, body LONGBLOB NOT NULL,
  KEY by_expires (expires)
) ${OPTIONS}`,
    `CREATE TABLE IF NOT EXISTS ${t.reports} (
  id ${ID} PRIMARY KEY, progress LONGBLOB, version INT NOT NULL, expires BIGINT NOT NULL, KEY by_expires (expires)
) ${OPTIONS}`,
    `CREATE TABLE IF NOT EXISTS ${t.report_lines} (
  n BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, id ${ID}, line LONGBLOB NOT NULL, KEY by_id (id, n)
) ${OPTIONS}`,
    `CREATE TABLE IF NOT EXISTS ${t.entries} (
  name ${NAME} PRIMARY KEY, value LONGBLOB NOT NULL, version BIGINT NOT NULL, expires BIGINT, KEY by_expires (expires)
) ${OPTIONS}`,
    `CREATE TABLE IF NOT EXISTS ${t.counters} (
  name ${NAME} PRIMARY KEY, value BIGINT NOT NULL, expires BIGINT, KEY by_expires (expires)
) ${OPTIONS}`,
  ];
}

/**
 * Divides the line in slices of a second, so that claims need not look for its front (statements/slices.ts). Writers wait while
 * the line's table is changed, and those of earlier versions can write no more: they do not say which slice.
 */
function slices(t: Tables): string[] {
  return [
    `CREATE TABLE IF NOT EXISTS ${t.slices} (
  queue ${NAME}, place TINYINT NOT NULL, slice BIGINT NOT NULL, writer BIGINT NOT NULL,
  PRIMARY KEY (queue, place, slice, writer)
) ${OPTIONS}`,
    ...onlyWithout(
      t.line,
      "slice",
      `ALTER TABLE ${t.line} ADD COLUMN slice BIGINT NOT NULL AFTER place, DROP PRIMARY KEY,
  ADD PRIMARY KEY (queue, place, slice, at, n, id)`,
    ),
    `UPDATE ${t.line} SET slice = ${sliceAt("at")}`,
    `INSERT IGNORE INTO ${t.slices} (queue, place, slice, writer) SELECT DISTINCT queue, place, slice, 0 FROM ${t.line}`,
  ];
}

/** A change that cannot be made twice, made only where the table does not have the column yet. */
function onlyWithout(table: string, column: string, change: string): string[] {
  return [
    `SET @taskwright_change = (SELECT IF(COUNT(*) = 0, '${change}', 'DO 0') FROM information_schema.columns
WHERE table_schema = DATABASE() AND table_name = '${table}' AND column_name = '${column}')`,
    "PREPARE taskwright_change FROM @taskwright_change",
    "EXECUTE taskwright_change",
    "DEALLOCATE PREPARE taskwright_change",
  ];
}

/** In their order. One that was released is never changed: what is new is a new one. */
const STEPS: readonly { readonly name: string; readonly statements: (tables: Tables) => string[] }[] = [
  { name: "tables", statements: tables },
  { name: "slices", statements: slices },
];

/** All migrations for a prefix. */
export function migrationsOf(prefix: string): Step[] {
  const names = tablesOf(prefix);
  return STEPS.map(({ name, statements }, index) => {
    const changes = statements(names);
    const number = index + 1;
    const checksum = createHash("sha256").update(changes.join(";\n")).digest("hex");
    const all = [...changes, record(names, number, name, checksum)];
    return { number, name, checksum, statements: all, sql: `${all.join(";\n\n")};\n` };
  });
}

function record({ migrations }: Tables, number: number, name: string, checksum: string): string {
  return `INSERT INTO ${migrations} (number, name, checksum, applied)
VALUES (${number}, '${name}', '${checksum}', ${NOW}) ON DUPLICATE KEY UPDATE number = VALUES(number)`;
}
