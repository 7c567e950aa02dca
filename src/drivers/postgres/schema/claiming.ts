/**
 * Purpose: leases due jobs, and tells what a worker that found none waits for.
 * Callers: the consumer.
 * Cost: one walk of the claim index, for what is claimed and what other claims hold behind the hint.
 *
 * One claim at a time looks into a queue, and each has a token higher than those before it. So what an earlier claim of the
 * same process found is true until it is told otherwise, and it gives that back as the queue's hint: the highest token, for
 * each rank the place up to which all jobs were taken, then the tokens that were alive. A claim with a hint goes on from there.
 * Without one, each would walk over all the jobs that ended before, as long as some old transaction keeps their rows from
 * being cleaned away: at 10,000 jobs/s, 6 million after ten minutes. See hints.ts for when a hint no longer holds; one from
 * before a crash of the server is seen by its token.
 *
 * Answers a row for each queue that it looked into. Jobs come as arrays and one piece of bytes (id, headers, history and body of
 * each), which costs half of what a row for each costs to send and read. No claim takes more than 16 MiB, or a single job.
 * It is not flushed to the disk: if it is lost, its jobs wait again, and whoever runs them has lost the lease.
 */
export const claiming = (s: string, settings: string): string => `
CREATE FUNCTION ${s}.claim(queues text[], hints text[], most int, lease bigint, holder text, worker text)
RETURNS TABLE (
  place int, moment bigint, hint text, next_due bigint, token bigint, seqs text, ranks text, ids text, bodies text,
  attempts text, losses text, expired text, heads text, histories text, packed bytea
) LANGUAGE plpgsql ${settings} AS $$
#variable_conflict use_variable
DECLARE
  era bigint := ${s}.current_era();
  name text;
  known bigint[];
  marks bigint[];
  got bigint[];
  dues bigint[];
  levels smallint[];
  size int;
BEGIN
  PERFORM set_config('synchronous_commit', 'off', true);
  PERFORM ${s}.lock_queues(queues);
  moment := ${s}.now_ms();
  FOR nth IN 1 .. cardinality(queues) LOOP
    EXIT WHEN most <= 0;
    place := nth;
    name := queues[nth];
    CONTINUE WHEN EXISTS (SELECT FROM ${s}.pauses p WHERE p.queue = name);
    marks := hints[nth]::bigint[];
    IF marks IS NULL OR marks[1] & 1048575 <> era THEN marks := array_fill(0::bigint, ARRAY[21]); END IF;
    known := ARRAY(
      SELECT DISTINCT l.token FROM ${s}.leases l WHERE l.queue = name AND l.token > marks[1]
      UNION ALL
      SELECT DISTINCT l.token FROM ${s}.leases l WHERE l.token = ANY(marks[22:]));
    marks := array_cat(marks[:21], known);

    SELECT array_agg(f.seq), array_agg(f.due), array_agg(f.rank), count(*),
           array_agg(octet_length(f.id))::text, array_agg(octet_length(f.body))::text,
           CASE WHEN bool_or(f.rare) THEN array_agg(f.attempts)::text END,
           CASE WHEN bool_or(f.rare) THEN array_agg(f.losses)::text END,
           CASE WHEN bool_or(f.rare) THEN array_agg(CASE WHEN f.expires <= moment THEN 1 ELSE 0 END)::text END,
           CASE WHEN bool_or(f.rare) THEN array_agg(coalesce(octet_length(f.headers), -1))::text END,
           CASE WHEN bool_or(f.rare) THEN array_agg(coalesce(octet_length(f.history), -1))::text END,
           string_agg(CASE WHEN f.rare THEN f.id || coalesce(f.headers, '') || coalesce(f.history, '') || f.body
                           ELSE f.id || f.body END, '')
      INTO got, dues, levels, size, ids, bodies, attempts, losses, expired, heads, histories, packed
      FROM (SELECT c.*, c.attempts + c.losses > 0 OR c.expires IS NOT NULL OR c.headers IS NOT NULL
                        OR c.history IS NOT NULL AS rare,
                   sum(c.bytes) OVER (ROWS UNBOUNDED PRECEDING) AS total
              FROM (SELECT j.* FROM generate_series(0, 9) AS r(rank) CROSS JOIN LATERAL (
                      SELECT k.*, octet_length(k.body) + coalesce(octet_length(k.history), 0) AS bytes
                        FROM ${s}.jobs k
                       WHERE k.queue = name AND k.rank = r.rank AND k.due <= moment
                         AND (k.due, k.seq) > (marks[2 + 2 * r.rank], marks[3 + 2 * r.rank])
                         AND k.seq NOT IN (
                           SELECT u.seq FROM ${s}.leases l, unnest(l.seqs) AS u(seq)
                            WHERE l.token = ANY(known) AND (l.rank IS NULL OR l.due >= marks[2 + 2 * l.rank]))
                       ORDER BY k.due, k.seq LIMIT most) j
                     LIMIT most) c) f
     WHERE f.total <= 16777216 OR f.total = f.bytes;

    token := NULL; seqs := NULL; ranks := NULL; next_due := NULL;
    IF size = 0 THEN
      next_due := (SELECT min(d.due) FROM generate_series(0, 9) AS r(rank) CROSS JOIN LATERAL (
        SELECT k.due FROM ${s}.jobs k WHERE k.queue = name AND k.rank = r.rank AND k.due > moment
         ORDER BY k.due LIMIT 1) d);
      marks[1] := greatest(marks[1], (SELECT max(k) FROM unnest(known) AS k));
    ELSE
      token := nextval('${s}.leases_seq') * 1048576 + era;
      INSERT INTO ${s}.leases (token, part, until, due, rank, queue, holder, worker, seqs)
      SELECT token, part, moment + lease, dues[size], CASE WHEN levels[1] = levels[size] THEN levels[1] END, name, holder,
             worker, got[part * 100 + 1 : (part + 1) * 100]
        FROM generate_series(0, (size - 1) / 100) AS part;
      marks[1] := token;
      marks := marks || token;
      IF levels[1] = levels[size] THEN
        marks[2 + 2 * levels[1]] := dues[size];
        marks[3 + 2 * levels[1]] := got[size];
        ranks := levels[1:1]::text;
      ELSE
        FOR at IN 1 .. size LOOP
          marks[2 + 2 * levels[at]] := dues[at];
          marks[3 + 2 * levels[at]] := got[at];
        END LOOP;
        ranks := levels::text;
      END IF;
      seqs := got::text;
      most := most - size;
    END IF;
    hint := marks::text;
    RETURN NEXT;
  END LOOP;
END $$;

-- The lower 20 bits of all tokens that are given until the server crashes.
CREATE FUNCTION ${s}.current_era() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  present bigint := (SELECT e.era FROM ${s}.eras e);
BEGIN
  IF present IS NULL THEN
    INSERT INTO ${s}.eras (era) VALUES (1 + floor(random() * 1048575)::bigint) ON CONFLICT DO NOTHING;
    present := (SELECT e.era FROM ${s}.eras e);
  END IF;
  RETURN present;
END $$;

-- Until the transaction ends, no claim looks into these queues. In one order, so that none waits for the other.
CREATE FUNCTION ${s}.lock_queues(queues text[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(to_regclass('${s}.jobs')::oid::int, k.key)
     FROM (SELECT DISTINCT hashtext(u.name) AS key FROM unnest(queues) AS u(name) ORDER BY 1) k;
END $$;
`;
