/**
 * Purpose: takes a batch of jobs.
 * Callers: the broker, on connections of its own and in transactions of users.
 * Cost: one insert a batch. Bodies come in one piece: as an array of
 *   `bytea`, in hexadecimal, a batch took half as long again.
 *
 * `packed` holds id, headers and body of each job, from `starts` on. The other arrays have one element for each job, or a
 * single one for all of them. `dues` and `expiries`: 0 is none, below 0 that many ms from now, above an epoch time.
 *
 * With `exact`, ids that exist are reported: those of jobs by the insertion (which waits for whoever is about to insert or
 * delete the same), those of dead letters and kept outcomes by a statement after it, which sees what was committed
 * meanwhile. Answers one letter for each job, `c`reated or `d`uplicate; none when all were created.
 */
export const publishing = (s: string, settings: string): string => `
CREATE FUNCTION ${s}.publish(
  packed bytea, names text[], starts int[], queues int[], ranks int[], dues bigint[], expiries bigint[],
  ids int[], heads int[], bodies int[], exact boolean[]
) RETURNS text LANGUAGE plpgsql ${settings} AS $$
DECLARE
  base bigint := nextval('${s}.jobs_seq');
  moment bigint := ${s}.now_ms();
BEGIN
  IF NOT (true = ANY(exact)) THEN
    INSERT INTO ${s}.jobs (seq, due, expires, rank, queue, id, headers, body)
    SELECT * FROM ${s}.unpack(packed, names, starts, queues, ranks, dues, expiries, ids, heads, bodies, base, moment);
  ELSE
    INSERT INTO ${s}.jobs (seq, due, expires, rank, queue, id, headers, body)
    SELECT * FROM ${s}.unpack(packed, names, starts, queues, ranks, dues, expiries, ids, heads, bodies, base, moment)
    ON CONFLICT (id) DO NOTHING;
    DELETE FROM ${s}.jobs j WHERE j.seq IN (
      SELECT i.seq FROM unnest(starts) WITH ORDINALITY AS u(start, n)
        CROSS JOIN LATERAL (SELECT k.seq, k.id FROM ${s}.jobs k WHERE k.seq = base + u.n) i
       WHERE coalesce(exact[u.n], exact[1])
         AND (EXISTS (SELECT FROM ${s}.dead d WHERE d.id = i.id)
           OR EXISTS (SELECT FROM ${s}.outcomes o WHERE o.id = i.id AND (o.expires IS NULL OR o.expires > moment))));
  END IF;
  PERFORM ${s}.tell_work(jsonb_agg(jsonb_build_array(names[w.queue], w.due)))
     FROM (SELECT coalesce(u.q, queues[1]) AS queue, min(${s}.moment_of(coalesce(u.d, dues[1]), moment)) AS due
             FROM unnest(queues, dues) AS u(q, d) GROUP BY 1) w;
  IF NOT (true = ANY(exact)) THEN RETURN ''; END IF;
  RETURN (
    SELECT string_agg(CASE WHEN EXISTS (SELECT FROM ${s}.jobs j WHERE j.seq = base + u.n) THEN 'c' ELSE 'd' END, ''
                      ORDER BY u.n)
      FROM unnest(starts) WITH ORDINALITY AS u(start, n));
END $$;

CREATE FUNCTION ${s}.moment_of(given bigint, moment bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN given < 0 THEN moment - given ELSE greatest(given, moment) END
$$;

-- The jobs of a batch as rows.
CREATE FUNCTION ${s}.unpack(
  packed bytea, names text[], starts int[], queues int[], ranks int[], dues bigint[], expiries bigint[],
  ids int[], heads int[], bodies int[], base bigint, moment bigint
) RETURNS TABLE (
  seq bigint, due bigint, expires bigint, rank smallint, queue text, id bytea, headers bytea, body bytea
) LANGUAGE sql STABLE AS $$
  SELECT base + u.n,
         CASE WHEN u.due < 0 THEN moment - u.due ELSE greatest(u.due, moment) END,
         CASE WHEN u.expires < 0 THEN moment - u.expires WHEN u.expires > 0 THEN u.expires END,
         u.rank::smallint, names[u.queue],
         substring(packed FROM u.start + 1 FOR u.id),
         CASE WHEN u.head > 0 THEN substring(packed FROM u.start + 1 + u.id FOR u.head) END,
         substring(packed FROM u.start + 1 + u.id + u.head FOR u.body)
    FROM (SELECT t.n, t.start, coalesce(t.queue, queues[1]) AS queue, coalesce(t.rank, ranks[1]) AS rank,
                 coalesce(t.due, dues[1]) AS due, coalesce(t.expires, expiries[1]) AS expires,
                 coalesce(t.id, ids[1]) AS id, coalesce(t.head, heads[1]) AS head, coalesce(t.body, bodies[1]) AS body
            FROM unnest(starts, queues, ranks, dues, expiries, ids, heads, bodies)
              WITH ORDINALITY AS t(start, queue, rank, due, expires, id, head, body, n)) u
   ORDER BY u.n
$$;
`;
