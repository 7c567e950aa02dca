/**
 * Purpose: ends attempts.
 * Callers: the consumer, on connections of its own and in transactions of users.
 * Cost: of `complete` a few statements for the whole batch, and one more for its outcomes; the others go one by one.
 *
 * Leases are locked first, so that what is read of them afterwards holds. `packed` holds the bytes of a batch in one piece, as
 * for `publish`; an array has one element for each, or a single one for all.
 */
export const settling = (s: string, settings: string): string => `
-- Keeps outcomes, unless there is one of a later attempt. A length below 0: none. ttl -1: for ever.
CREATE FUNCTION ${s}.store(
  packed bytea, starts int[], ids int[], bodies int[], states text[], the_attempts int[], ttls bigint[]
) RETURNS void LANGUAGE plpgsql ${settings} AS $$
DECLARE
  moment bigint := ${s}.now_ms();
  told bytea[];
BEGIN
  WITH given AS MATERIALIZED (
    SELECT u.n, substring(packed FROM u.start + 1 FOR coalesce(u.id, ids[1])) AS id,
           substring(packed FROM u.start + 1 + coalesce(u.id, ids[1]) FOR coalesce(u.body, bodies[1])) AS body,
           coalesce(u.state, states[1]) AS state, coalesce(u.attempt, the_attempts[1]) AS attempt,
           coalesce(u.ttl, ttls[1]) AS ttl
      FROM unnest(starts, ids, bodies, states, the_attempts, ttls)
        WITH ORDINALITY AS u(start, id, body, state, attempt, ttl, n)
     WHERE coalesce(u.body, bodies[1]) >= 0
  ), stored AS (
    INSERT INTO ${s}.outcomes AS o (id, expires, attempt, state, body)
    SELECT g.id, CASE WHEN g.ttl >= 0 THEN moment + g.ttl END, g.attempt, g.state, g.body FROM given g ORDER BY g.id
    ON CONFLICT (id) DO UPDATE
      SET expires = excluded.expires, attempt = excluded.attempt, state = excluded.state, body = excluded.body
      WHERE excluded.attempt >= o.attempt OR o.expires <= moment
  )
  SELECT array_agg(g.id) INTO told FROM given g;
  IF told IS NOT NULL THEN PERFORM ${s}.tell_news('o', told); END IF;
END $$;

-- Lets jobs go that are done: completed, or stopped as their outcome says. Answers 's'ettled or 'l'ost for each; nothing when all were settled.
CREATE FUNCTION ${s}.complete(
  the_tokens bigint[], the_seqs bigint[],
  packed bytea, starts int[], ids int[], bodies int[], states text[], the_attempts int[], ttls bigint[]
) RETURNS text LANGUAGE plpgsql ${settings} AS $$
DECLARE
  gone int[];
BEGIN
  PERFORM ${s}.lock_leases(the_tokens);
  gone := ${s}.lost(the_tokens, the_seqs);
  IF gone = '{}' THEN
    DELETE FROM ${s}.jobs j WHERE j.seq = ANY(the_seqs);
  ELSE
    DELETE FROM ${s}.jobs j WHERE j.seq IN (
      SELECT a.seq FROM unnest(the_seqs) WITH ORDINALITY AS a(seq, n) WHERE a.n <> ALL(gone));
    IF cardinality(starts) > 0 THEN
      -- Those that are lost leave no outcome.
      bodies := ARRAY(
        SELECT CASE WHEN a.n = ANY(gone) THEN -1 ELSE coalesce(bodies[a.n], bodies[1]) END
          FROM generate_subscripts(starts, 1) AS a(n) ORDER BY a.n);
    END IF;
  END IF;
  PERFORM ${s}.unlease(the_tokens, the_seqs);
  IF cardinality(starts) > 0 THEN
    PERFORM ${s}.store(packed, starts, ids, bodies, states, the_attempts, ttls);
  END IF;
  IF gone = '{}' THEN RETURN ''; END IF;
  RETURN (SELECT string_agg(CASE WHEN a.n = ANY(gone) THEN 'l' ELSE 's' END, '' ORDER BY a.n)
            FROM generate_subscripts(the_seqs, 1) AS a(n));
END $$;

${putBack(s, settings, "CREATE FUNCTION", "item->>0 = 'retry'")}`;

/**
 * The function of migration 2, and what replaced it.
 *
 * @param retrying - Whether a job that is put back ran before.
 */
export const putBack = (
  s: string,
  settings: string,
  create: string,
  retrying: string,
): string => `-- Puts jobs back, or among the dead letters. For each of the items: kind, token, seq, delay, reason, then the places of its
-- history and the state, attempt, ttl, id and body of its outcome in the bytes: start and length, below 0 for none.
${create} ${s}.put_back(items jsonb, packed bytea) RETURNS text LANGUAGE plpgsql ${settings} AS $$
DECLARE
  moment bigint := ${s}.now_ms();
  answer text := '';
  item jsonb;
  the_token bigint;
  the_seq bigint;
  delay bigint;
  past bytea;
  job record;
BEGIN
  PERFORM ${s}.lock_leases(ARRAY(SELECT (i->>1)::bigint FROM jsonb_array_elements(items) AS i));
  FOR item IN SELECT i FROM jsonb_array_elements(items) AS i LOOP
    the_token := (item->>1)::bigint;
    the_seq := (item->>2)::bigint;
    delay := (item->>3)::bigint;
    past := CASE WHEN (item->>6)::int >= 0 THEN substring(packed FROM (item->>5)::int + 1 FOR (item->>6)::int) END;
    IF ${s}.lost(ARRAY[the_token], ARRAY[the_seq]) <> '{}' THEN
      answer := answer || 'l';
      CONTINUE;
    END IF;
    PERFORM ${s}.unlease(ARRAY[the_token], ARRAY[the_seq]);
    IF item->>0 = 'dead' THEN
      WITH gone AS (DELETE FROM ${s}.jobs j WHERE j.seq = the_seq RETURNING j.*)
      INSERT INTO ${s}.dead (seq, died, expires, attempts, losses, rank, queue, reason, id, headers, history, body)
      SELECT g.seq, moment, g.expires, g.attempts + 1, g.losses, g.rank, g.queue, item->>4, g.id, g.headers, past, g.body
        FROM gone g
      ON CONFLICT (id) DO NOTHING;
      IF (item->>11)::int >= 0 THEN
        PERFORM ${s}.store(packed, ARRAY[(item->>7)::int], ARRAY[(item->>8)::int], ARRAY[(item->>11)::int],
                           ARRAY[item->>9], ARRAY[(item->>10)::int], ARRAY[(item->>12)::bigint]);
      END IF;
    ELSE
      UPDATE ${s}.jobs j
         SET attempts = j.attempts + CASE WHEN item->>0 = 'retry' THEN 1 ELSE 0 END,
             retrying = ${retrying}, history = coalesce(past, j.history),
             due = CASE WHEN item->>0 = 'retry' OR delay > 0 THEN moment + delay ELSE j.due END
       WHERE j.seq = the_seq
      RETURNING j.queue, j.due INTO job;
      PERFORM ${s}.tell_work(jsonb_build_array(jsonb_build_array(job.queue, job.due)));
    END IF;
    answer := answer || 's';
  END LOOP;
  RETURN answer;
END $$;
`;
