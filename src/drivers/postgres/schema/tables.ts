/**
 * The tables. `jobs` holds all that wait or run; a claim changes nothing in it, but adds one row to `leases` with the numbers
 * of the jobs it took:
 *
 *     publish -> jobs -> (complete, cancel) gone
 *                  |  \
 *             leases   +-> dead
 *
 * Tried beside each other with batches of 500 (PostgreSQL 15, 2 cores, body of 60 bytes; claim and completion together, CPU
 * of the server and WAL for each job): `UPDATE ... SKIP LOCKED` and `DELETE` 15.5 microseconds and 200 to 370 bytes; moving the row
 * to a table of leases (`DELETE ... RETURNING`) 17.8 and 370 to 680; this 11 and 125 to 185, and a heartbeat renews one row for a claim
 * instead of one for each job. Its price is a lock that lets one claim at a time into a queue, for as long as it takes
 * (1 ms for 100 jobs): claims are not flushed to the disk, so nobody waits for one behind it.
 *
 * The claim index equals the order of claiming, delayed jobs included: a claim stops at the first that is not due.
 * Names are in byte order (`COLLATE "C"`), and moments are epoch milliseconds of the server's clock.
 */
export const tables = (s: string): string => `
CREATE SCHEMA IF NOT EXISTS ${s};

CREATE TABLE IF NOT EXISTS ${s}.migrations (
  number integer PRIMARY KEY,
  name text NOT NULL,
  checksum text NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT now()
);

-- A batch of jobs takes one number of the sequence, and numbers its jobs from there on.
CREATE SEQUENCE ${s}.jobs_seq AS bigint INCREMENT BY 65536;

-- rank: 9 - priority. attempts: those that ended; a lease is one more. retrying: it waits after a failed attempt.
CREATE TABLE ${s}.jobs (
  seq bigint PRIMARY KEY,
  due bigint NOT NULL,
  expires bigint,
  attempts integer NOT NULL DEFAULT 0,
  losses integer NOT NULL DEFAULT 0,
  rank smallint NOT NULL,
  cancel boolean NOT NULL DEFAULT false,
  retrying boolean NOT NULL DEFAULT false,
  queue text COLLATE "C" NOT NULL,
  id bytea NOT NULL,
  headers bytea,
  history bytea,
  body bytea NOT NULL
);
CREATE UNIQUE INDEX jobs_id ON ${s}.jobs (id);
CREATE INDEX jobs_claim ON ${s}.jobs (queue, rank, due, seq);
CREATE INDEX jobs_cancel ON ${s}.jobs (seq) WHERE cancel;

-- The time between two crashes of the server, as a number. A crash forgets claims that were not flushed, and their tokens
-- could be given again: so the number is a part of each token, and an unlogged table is empty after a crash.
CREATE UNLOGGED TABLE ${s}.eras (single boolean PRIMARY KEY DEFAULT true CHECK (single), era bigint NOT NULL);

-- One claim of one queue has a token, and a row for each 100 of its jobs. until is in no index, so renewing it is cheap.
-- rank, due: of the last of the jobs, for who looks at jobs behind that one only. No rank: they have several.
CREATE SEQUENCE ${s}.leases_seq AS bigint;
CREATE TABLE ${s}.leases (
  token bigint NOT NULL,
  part bigint NOT NULL,
  until bigint NOT NULL,
  due bigint NOT NULL,
  rank smallint,
  queue text COLLATE "C" NOT NULL,
  holder text NOT NULL,
  worker text NOT NULL,
  seqs bigint[] NOT NULL,
  PRIMARY KEY (token, part)
);

CREATE TABLE ${s}.pauses (queue text COLLATE "C" PRIMARY KEY);

CREATE TABLE ${s}.dead (
  seq bigint PRIMARY KEY,
  died bigint NOT NULL,
  expires bigint,
  attempts integer NOT NULL,
  losses integer NOT NULL,
  rank smallint NOT NULL,
  queue text COLLATE "C" NOT NULL,
  reason text NOT NULL,
  id bytea NOT NULL,
  headers bytea,
  history bytea,
  body bytea NOT NULL
);
CREATE UNIQUE INDEX dead_id ON ${s}.dead (id);
CREATE INDEX dead_queue ON ${s}.dead (queue, seq);

CREATE TABLE ${s}.outcomes (
  id bytea PRIMARY KEY,
  expires bigint,
  attempt integer NOT NULL,
  state text NOT NULL,
  body bytea NOT NULL
);
CREATE INDEX outcomes_expires ON ${s}.outcomes (expires) WHERE expires IS NOT NULL;

CREATE TABLE ${s}.reports (
  id bytea PRIMARY KEY,
  expires bigint NOT NULL,
  version integer NOT NULL,
  progress bytea
);
CREATE INDEX reports_expires ON ${s}.reports (expires);
-- The lines of one report, as JSON: a text cannot hold the character 0.
CREATE SEQUENCE ${s}.report_lines_seq AS bigint;
CREATE TABLE ${s}.report_lines (
  id bytea NOT NULL,
  n bigint NOT NULL DEFAULT nextval('${s}.report_lines_seq'),
  lines text NOT NULL,
  PRIMARY KEY (id, n)
);

CREATE SEQUENCE ${s}.entries_seq AS bigint;
CREATE TABLE ${s}.entries (
  key text COLLATE "C" PRIMARY KEY,
  version bigint NOT NULL DEFAULT nextval('${s}.entries_seq'),
  expires bigint,
  value bytea NOT NULL
);
CREATE INDEX entries_expires ON ${s}.entries (expires) WHERE expires IS NOT NULL;

CREATE TABLE ${s}.counters (
  key text COLLATE "C" PRIMARY KEY,
  value bigint NOT NULL,
  expires bigint
);
CREATE INDEX counters_expires ON ${s}.counters (expires) WHERE expires IS NOT NULL;
`;
