SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;
CREATE SCHEMA taskwright;
CREATE FUNCTION taskwright.cancel(the_ids bytea[], packed bytea, starts integer[], ids integer[], bodies integer[], the_attempts integer[], ttls bigint[]) RETURNS text
    LANGUAGE plpgsql
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    AS $$
DECLARE
  answer text := '';
  busy record;
BEGIN
  PERFORM "taskwright".lock_jobs(the_ids);
  FOR nth IN 1 .. cardinality(the_ids) LOOP
    SELECT l.holder INTO busy FROM "taskwright".leases l, "taskwright".jobs j
     WHERE j.id = the_ids[nth] AND j.seq = ANY(l.seqs);
    IF FOUND THEN
      UPDATE "taskwright".jobs j SET cancel = true WHERE j.id = the_ids[nth];
      answer := answer || CASE WHEN FOUND THEN 'r' ELSE 'a' END;
      PERFORM pg_notify("taskwright".channel('stop'), busy.holder || ' ' || encode(the_ids[nth], 'hex'));
    ELSE
      DELETE FROM "taskwright".jobs j WHERE j.id = the_ids[nth];
      IF FOUND THEN
        answer := answer || 'c';
        PERFORM "taskwright".store(packed, starts[nth:nth], ids[nth:nth], bodies[nth:nth], '{cancelled}',
                           the_attempts[nth:nth], ttls[nth:nth]);
      ELSE
        answer := answer || 'a';
      END IF;
    END IF;
  END LOOP;
  RETURN answer;
END $$;
CREATE FUNCTION taskwright.channel(kind text) RETURNS text
    LANGUAGE sql STABLE
    AS $$
  SELECT 'taskwright_' || kind || '_' || to_regclass('"taskwright".jobs')::oid::text
$$;
CREATE FUNCTION taskwright.claim(queues text[], hints text[], most integer, lease bigint, holder text, worker text) RETURNS TABLE(place integer, moment bigint, hint text, next_due bigint, token bigint, seqs text, ranks text, ids text, bodies text, attempts text, losses text, expired text, heads text, histories text, packed bytea)
    LANGUAGE plpgsql
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    AS $$
#variable_conflict use_variable
DECLARE
  era bigint := "taskwright".current_era();
  name text;
  known bigint[];
  marks bigint[];
  got bigint[];
  dues bigint[];
  levels smallint[];
  size int;
BEGIN
  PERFORM set_config('synchronous_commit', 'off', true);
  PERFORM "taskwright".lock_queues(queues);
  moment := "taskwright".now_ms();
  FOR nth IN 1 .. cardinality(queues) LOOP
    EXIT WHEN most <= 0;
    place := nth;
    name := queues[nth];
    CONTINUE WHEN EXISTS (SELECT FROM "taskwright".pauses p WHERE p.queue = name);
    marks := hints[nth]::bigint[];
    IF marks IS NULL OR marks[1] & 1048575 <> era THEN marks := array_fill(0::bigint, ARRAY[21]); END IF;
    known := ARRAY(
      SELECT DISTINCT l.token FROM "taskwright".leases l WHERE l.queue = name AND l.token > marks[1]
      UNION ALL
      SELECT DISTINCT l.token FROM "taskwright".leases l WHERE l.token = ANY(marks[22:]));
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
                        FROM "taskwright".jobs k
                       WHERE k.queue = name AND k.rank = r.rank AND k.due <= moment
                         AND (k.due, k.seq) > (marks[2 + 2 * r.rank], marks[3 + 2 * r.rank])
                         AND k.seq NOT IN (
                           SELECT u.seq FROM "taskwright".leases l, unnest(l.seqs) AS u(seq)
                            WHERE l.token = ANY(known) AND (l.rank IS NULL OR l.due >= marks[2 + 2 * l.rank]))
                       ORDER BY k.due, k.seq LIMIT most) j
                     LIMIT most) c) f
     WHERE f.total <= 16777216 OR f.total = f.bytes;
    token := NULL; seqs := NULL; ranks := NULL; next_due := NULL;
    IF size = 0 THEN
      next_due := (SELECT min(d.due) FROM generate_series(0, 9) AS r(rank) CROSS JOIN LATERAL (
        SELECT k.due FROM "taskwright".jobs k WHERE k.queue = name AND k.rank = r.rank AND k.due > moment
         ORDER BY k.due LIMIT 1) d);
      marks[1] := greatest(marks[1], (SELECT max(k) FROM unnest(known) AS k));
    ELSE
      token := nextval('"taskwright".leases_seq') * 1048576 + era;
      INSERT INTO "taskwright".leases (token, part, until, due, rank, queue, holder, worker, seqs)
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
CREATE FUNCTION taskwright.complete(the_tokens bigint[], the_seqs bigint[], packed bytea, starts integer[], ids integer[], bodies integer[], states text[], the_attempts integer[], ttls bigint[]) RETURNS text
    LANGUAGE plpgsql
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    AS $$
DECLARE
  gone int[];
BEGIN
  PERFORM "taskwright".lock_leases(the_tokens);
  gone := "taskwright".lost(the_tokens, the_seqs);
  IF gone = '{}' THEN
    DELETE FROM "taskwright".jobs j WHERE j.seq = ANY(the_seqs);
  ELSE
    DELETE FROM "taskwright".jobs j WHERE j.seq IN (
      SELECT a.seq FROM unnest(the_seqs) WITH ORDINALITY AS a(seq, n) WHERE a.n <> ALL(gone));
    IF cardinality(starts) > 0 THEN
      -- Those that are lost leave no outcome.
      bodies := ARRAY(
        SELECT CASE WHEN a.n = ANY(gone) THEN -1 ELSE coalesce(bodies[a.n], bodies[1]) END
          FROM generate_subscripts(starts, 1) AS a(n) ORDER BY a.n);
    END IF;
  END IF;
  PERFORM "taskwright".unlease(the_tokens, the_seqs);
  IF cardinality(starts) > 0 THEN
    PERFORM "taskwright".store(packed, starts, ids, bodies, states, the_attempts, ttls);
  END IF;
  IF gone = '{}' THEN RETURN ''; END IF;
  RETURN (SELECT string_agg(CASE WHEN a.n = ANY(gone) THEN 'l' ELSE 's' END, '' ORDER BY a.n)
            FROM generate_subscripts(the_seqs, 1) AS a(n));
END $$;
CREATE FUNCTION taskwright.current_era() RETURNS bigint
    LANGUAGE plpgsql
    AS $$
DECLARE
  present bigint := (SELECT e.era FROM "taskwright".eras e);
BEGIN
  IF present IS NULL THEN
    INSERT INTO "taskwright".eras (era) VALUES (1 + floor(random() * 1048575)::bigint) ON CONFLICT DO NOTHING;
    present := (SELECT e.era FROM "taskwright".eras e);
  END IF;
  RETURN present;
END $$;
CREATE FUNCTION taskwright.discard(the_ids bytea[]) RETURNS SETOF bytea
    LANGUAGE plpgsql
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    AS $$
BEGIN
  PERFORM "taskwright".lock_jobs(the_ids);
  RETURN QUERY DELETE FROM "taskwright".dead d WHERE d.id = ANY(the_ids) RETURNING d.id;
  RETURN QUERY DELETE FROM "taskwright".jobs j WHERE j.id = ANY(the_ids)
    AND j.seq NOT IN (SELECT l.seq FROM "taskwright".leased() l) RETURNING j.id;
END $$;
CREATE FUNCTION taskwright.extend(the_tokens bigint[], the_seqs bigint[], lease bigint) RETURNS text
    LANGUAGE plpgsql
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    AS $$
DECLARE
  later bigint;
  gone int[];
  stopping bigint[];
BEGIN
  PERFORM set_config('synchronous_commit', 'off', true);
  PERFORM "taskwright".lock_leases(the_tokens);
  later := "taskwright".now_ms() + lease;
  gone := "taskwright".lost(the_tokens, the_seqs);
  INSERT INTO "taskwright".leases (token, part, until, due, rank, queue, holder, worker, seqs)
  SELECT l.token, nextval('"taskwright".leases_seq'), l.until, l.due, l.rank, l.queue, l.holder, l.worker, rest.seqs
    FROM "taskwright".leases l CROSS JOIN LATERAL (
      SELECT array_agg(u.seq) AS seqs FROM unnest(l.seqs) AS u(seq)
       WHERE (l.token, u.seq) NOT IN (SELECT a.token, a.seq FROM unnest(the_tokens, the_seqs) AS a(token, seq))) rest
   WHERE l.token = ANY(the_tokens) AND rest.seqs IS NOT NULL AND rest.seqs <> l.seqs;
  IF FOUND THEN
    UPDATE "taskwright".leases l SET until = later, seqs = ARRAY(
      SELECT u.seq FROM unnest(l.seqs) AS u(seq)
       WHERE (l.token, u.seq) IN (SELECT a.token, a.seq FROM unnest(the_tokens, the_seqs) AS a(token, seq)))
     WHERE l.token = ANY(the_tokens) AND EXISTS (
      SELECT FROM unnest(l.seqs) AS u(seq)
       WHERE (l.token, u.seq) IN (SELECT a.token, a.seq FROM unnest(the_tokens, the_seqs) AS a(token, seq)));
  ELSE
    UPDATE "taskwright".leases l SET until = later WHERE l.token = ANY(the_tokens)
       AND EXISTS (SELECT FROM unnest(l.seqs) AS u(seq) WHERE u.seq = ANY(the_seqs));
  END IF;
  stopping := ARRAY(SELECT j.seq FROM "taskwright".jobs j WHERE j.cancel AND j.seq = ANY(the_seqs));
  RETURN (SELECT string_agg(
            CASE WHEN a.n = ANY(gone) THEN 'l' WHEN a.seq = ANY(stopping) THEN 'c' ELSE 'h' END, '' ORDER BY a.n)
            FROM unnest(the_seqs) WITH ORDINALITY AS a(seq, n));
END $$;
CREATE FUNCTION taskwright.leased() RETURNS TABLE(seq bigint, token bigint, holder text, worker text)
    LANGUAGE sql STABLE
    AS $$
  SELECT u.seq, l.token, l.holder, l.worker FROM "taskwright".leases l, unnest(l.seqs) AS u(seq)
$$;
CREATE FUNCTION taskwright.lock_jobs(the_ids bytea[]) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
  PERFORM "taskwright".lock_queues(ARRAY(SELECT DISTINCT j.queue FROM "taskwright".jobs j WHERE j.id = ANY(the_ids)));
END $$;
CREATE FUNCTION taskwright.lock_leases(tokens bigint[]) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
  PERFORM 1 FROM (
    SELECT FROM "taskwright".leases l WHERE l.token = ANY(tokens) ORDER BY l.token, l.part FOR UPDATE) locked;
END $$;
CREATE FUNCTION taskwright.lock_queues(queues text[]) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(to_regclass('"taskwright".jobs')::oid::int, k.key)
     FROM (SELECT DISTINCT hashtext(u.name) AS key FROM unnest(queues) AS u(name) ORDER BY 1) k;
END $$;
CREATE FUNCTION taskwright.lost(the_tokens bigint[], the_seqs bigint[]) RETURNS integer[]
    LANGUAGE plpgsql
    AS $$
BEGIN
  RETURN ARRAY(
    SELECT a.n::int FROM unnest(the_tokens, the_seqs) WITH ORDINALITY AS a(token, seq, n)
     WHERE (a.token, a.seq) NOT IN (
       SELECT l.token, u.seq FROM "taskwright".leases l, unnest(l.seqs) AS u(seq) WHERE l.token = ANY(the_tokens)));
END $$;
CREATE FUNCTION taskwright.moment_of(given bigint, moment bigint) RETURNS bigint
    LANGUAGE sql IMMUTABLE
    AS $$
  SELECT CASE WHEN given < 0 THEN moment - given ELSE greatest(given, moment) END
$$;
CREATE FUNCTION taskwright.now_ms() RETURNS bigint
    LANGUAGE sql
    AS $$
  SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint
$$;
CREATE FUNCTION taskwright.publish(packed bytea, names text[], starts integer[], queues integer[], ranks integer[], dues bigint[], expiries bigint[], ids integer[], heads integer[], bodies integer[], exact boolean[]) RETURNS text
    LANGUAGE plpgsql
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    AS $$
DECLARE
  base bigint := nextval('"taskwright".jobs_seq');
  moment bigint := "taskwright".now_ms();
BEGIN
  IF NOT (true = ANY(exact)) THEN
    INSERT INTO "taskwright".jobs (seq, due, expires, rank, queue, id, headers, body)
    SELECT * FROM "taskwright".unpack(packed, names, starts, queues, ranks, dues, expiries, ids, heads, bodies, base, moment);
  ELSE
    INSERT INTO "taskwright".jobs (seq, due, expires, rank, queue, id, headers, body)
    SELECT * FROM "taskwright".unpack(packed, names, starts, queues, ranks, dues, expiries, ids, heads, bodies, base, moment)
    ON CONFLICT (id) DO NOTHING;
    DELETE FROM "taskwright".jobs j WHERE j.seq IN (
      SELECT i.seq FROM unnest(starts) WITH ORDINALITY AS u(start, n)
        CROSS JOIN LATERAL (SELECT k.seq, k.id FROM "taskwright".jobs k WHERE k.seq = base + u.n) i
       WHERE coalesce(exact[u.n], exact[1])
         AND (EXISTS (SELECT FROM "taskwright".dead d WHERE d.id = i.id)
           OR EXISTS (SELECT FROM "taskwright".outcomes o WHERE o.id = i.id AND (o.expires IS NULL OR o.expires > moment))));
  END IF;
  PERFORM "taskwright".tell_work(jsonb_agg(jsonb_build_array(names[w.queue], w.due)))
     FROM (SELECT coalesce(u.q, queues[1]) AS queue, min("taskwright".moment_of(coalesce(u.d, dues[1]), moment)) AS due
             FROM unnest(queues, dues) AS u(q, d) GROUP BY 1) w;
  IF NOT (true = ANY(exact)) THEN RETURN ''; END IF;
  RETURN (
    SELECT string_agg(CASE WHEN EXISTS (SELECT FROM "taskwright".jobs j WHERE j.seq = base + u.n) THEN 'c' ELSE 'd' END, ''
                      ORDER BY u.n)
      FROM unnest(starts) WITH ORDINALITY AS u(start, n));
END $$;
CREATE FUNCTION taskwright.purge(name text, states text[]) RETURNS bigint
    LANGUAGE plpgsql
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    AS $$
DECLARE
  moment bigint;
  purged bigint := 0;
  more bigint;
BEGIN
  PERFORM "taskwright".lock_queues(ARRAY[name]);
  moment := "taskwright".now_ms();
  DELETE FROM "taskwright".jobs j WHERE j.queue = name
     AND j.seq NOT IN (SELECT l.seq FROM "taskwright".leased() l)
     AND CASE WHEN j.due <= moment THEN 'waiting' WHEN j.retrying THEN 'retrying' ELSE 'scheduled' END = ANY(states);
  GET DIAGNOSTICS purged = ROW_COUNT;
  IF 'dead' = ANY(states) THEN
    DELETE FROM "taskwright".dead d WHERE d.queue = name;
    GET DIAGNOSTICS more = ROW_COUNT;
    purged := purged + more;
  END IF;
  RETURN purged;
END $$;
CREATE FUNCTION taskwright.put_back(items jsonb, packed bytea) RETURNS text
    LANGUAGE plpgsql
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    AS $$
DECLARE
  moment bigint := "taskwright".now_ms();
  answer text := '';
  item jsonb;
  the_token bigint;
  the_seq bigint;
  delay bigint;
  past bytea;
  job record;
BEGIN
  PERFORM "taskwright".lock_leases(ARRAY(SELECT (i->>1)::bigint FROM jsonb_array_elements(items) AS i));
  FOR item IN SELECT i FROM jsonb_array_elements(items) AS i LOOP
    the_token := (item->>1)::bigint;
    the_seq := (item->>2)::bigint;
    delay := (item->>3)::bigint;
    past := CASE WHEN (item->>6)::int >= 0 THEN substring(packed FROM (item->>5)::int + 1 FOR (item->>6)::int) END;
    IF "taskwright".lost(ARRAY[the_token], ARRAY[the_seq]) <> '{}' THEN
      answer := answer || 'l';
      CONTINUE;
    END IF;
    PERFORM "taskwright".unlease(ARRAY[the_token], ARRAY[the_seq]);
    IF item->>0 = 'dead' THEN
      WITH gone AS (DELETE FROM "taskwright".jobs j WHERE j.seq = the_seq RETURNING j.*)
      INSERT INTO "taskwright".dead (seq, died, expires, attempts, losses, rank, queue, reason, id, headers, history, body)
      SELECT g.seq, moment, g.expires, g.attempts + 1, g.losses, g.rank, g.queue, item->>4, g.id, g.headers, past, g.body
        FROM gone g
      ON CONFLICT (id) DO NOTHING;
      IF (item->>11)::int >= 0 THEN
        PERFORM "taskwright".store(packed, ARRAY[(item->>7)::int], ARRAY[(item->>8)::int], ARRAY[(item->>11)::int],
                           ARRAY[item->>9], ARRAY[(item->>10)::int], ARRAY[(item->>12)::bigint]);
      END IF;
    ELSE
      UPDATE "taskwright".jobs j
         SET attempts = j.attempts + CASE WHEN item->>0 = 'retry' THEN 1 ELSE 0 END,
             retrying = item->>0 = 'retry', history = coalesce(past, j.history),
             due = CASE WHEN item->>0 = 'retry' OR delay > 0 THEN moment + delay ELSE j.due END
       WHERE j.seq = the_seq
      RETURNING j.queue, j.due INTO job;
      PERFORM "taskwright".tell_work(jsonb_build_array(jsonb_build_array(job.queue, job.due)));
    END IF;
    answer := answer || 's';
  END LOOP;
  RETURN answer;
END $$;
CREATE FUNCTION taskwright.revive(the_ids bytea[]) RETURNS SETOF bytea
    LANGUAGE plpgsql
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    AS $$
DECLARE
  one record;
  moment bigint := "taskwright".now_ms();
BEGIN
  FOR one IN DELETE FROM "taskwright".dead d WHERE d.id = ANY(the_ids) RETURNING d.* LOOP
    DELETE FROM "taskwright".outcomes o WHERE o.id = one.id;
    INSERT INTO "taskwright".jobs (seq, due, expires, rank, queue, id, headers, body)
    VALUES (nextval('"taskwright".jobs_seq'), moment, one.expires, one.rank, one.queue, one.id, one.headers, one.body)
    ON CONFLICT (id) DO NOTHING;
    PERFORM "taskwright".tell_work(jsonb_build_array(jsonb_build_array(one.queue, moment)));
    RETURN NEXT one.id;
  END LOOP;
END $$;
CREATE FUNCTION taskwright.split_lease(the_token bigint, the_seq bigint) RETURNS text
    LANGUAGE plpgsql
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    AS $$
DECLARE
  own bigint := nextval('"taskwright".leases_seq') * 1048576 + "taskwright".current_era();
BEGIN
  PERFORM set_config('synchronous_commit', 'off', true);
  PERFORM "taskwright".lock_queues(ARRAY(SELECT DISTINCT l.queue FROM "taskwright".leases l WHERE l.token = the_token));
  PERFORM "taskwright".lock_leases(ARRAY[the_token]);
  INSERT INTO "taskwright".leases (token, part, until, due, rank, queue, holder, worker, seqs)
  SELECT own, 0, l.until, l.due, l.rank, l.queue, l.holder, l.worker, ARRAY[the_seq]
    FROM "taskwright".leases l WHERE l.token = the_token AND the_seq = ANY(l.seqs);
  IF NOT FOUND THEN RETURN the_token::text; END IF;
  PERFORM "taskwright".unlease(ARRAY[the_token], ARRAY[the_seq]);
  RETURN own::text;
END $$;
CREATE FUNCTION taskwright.store(packed bytea, starts integer[], ids integer[], bodies integer[], states text[], the_attempts integer[], ttls bigint[]) RETURNS void
    LANGUAGE plpgsql
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    AS $$
DECLARE
  moment bigint := "taskwright".now_ms();
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
    INSERT INTO "taskwright".outcomes AS o (id, expires, attempt, state, body)
    SELECT g.id, CASE WHEN g.ttl >= 0 THEN moment + g.ttl END, g.attempt, g.state, g.body FROM given g ORDER BY g.id
    ON CONFLICT (id) DO UPDATE
      SET expires = excluded.expires, attempt = excluded.attempt, state = excluded.state, body = excluded.body
      WHERE excluded.attempt >= o.attempt OR o.expires <= moment
  )
  SELECT array_agg(g.id) INTO told FROM given g;
  IF told IS NOT NULL THEN PERFORM "taskwright".tell_news('o', told); END IF;
END $$;
CREATE FUNCTION taskwright.sweep_leases(most integer, delay bigint, jitter bigint) RETURNS integer
    LANGUAGE plpgsql
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    AS $$
DECLARE
  moment bigint := "taskwright".now_ms();
  recovered int := 0;
  one record;
  taken bigint[];
BEGIN
  PERFORM set_config('synchronous_commit', 'off', true);
  FOR one IN
    SELECT l.token, l.part, l.queue, l.seqs FROM "taskwright".leases l
     WHERE l.until <= moment ORDER BY l.token, l.part FOR UPDATE SKIP LOCKED
  LOOP
    EXIT WHEN recovered >= most;
    taken := one.seqs[1 : most - recovered];
    UPDATE "taskwright".jobs j
       SET attempts = j.attempts + 1, losses = j.losses + 1, retrying = true,
           due = moment + delay + floor(random() * (jitter + 1))::bigint
     WHERE j.seq = ANY(taken);
    UPDATE "taskwright".leases l SET seqs = one.seqs[cardinality(taken) + 1 :] WHERE l.token = one.token AND l.part = one.part;
    DELETE FROM "taskwright".leases l WHERE l.token = one.token AND l.part = one.part AND l.seqs = '{}';
    recovered := recovered + cardinality(taken);
    PERFORM "taskwright".tell_work(jsonb_build_array(jsonb_build_array(one.queue, moment + delay)));
  END LOOP;
  RETURN recovered;
END $$;
CREATE FUNCTION taskwright.tell_news(kind text, ids bytea[]) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
  PERFORM pg_notify("taskwright".channel('news'), kind || string_agg(part.hex, ',' ORDER BY part.n))
    FROM (SELECT hexes.n, hexes.hex, sum(length(hexes.hex) + 1) OVER (ORDER BY hexes.n) / 5500 AS page
            FROM (SELECT u.n, encode(u.id, 'hex') AS hex FROM unnest(ids) WITH ORDINALITY AS u(id, n)) hexes) part
   GROUP BY part.page;
END $$;
CREATE FUNCTION taskwright.tell_work(work jsonb) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
  PERFORM pg_notify("taskwright".channel('work'), CASE WHEN octet_length(work::text) < 7900 THEN work::text ELSE '' END);
END $$;
CREATE FUNCTION taskwright.unlease(the_tokens bigint[], the_seqs bigint[]) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
  IF EXISTS (
    SELECT FROM "taskwright".leases l, unnest(l.seqs) AS u(seq)
     WHERE l.token = ANY(the_tokens)
       AND (l.token, u.seq) NOT IN (SELECT a.token, a.seq FROM unnest(the_tokens, the_seqs) AS a(token, seq))
  ) THEN
    UPDATE "taskwright".leases l SET seqs = ARRAY(
      SELECT u.seq FROM unnest(l.seqs) AS u(seq)
       WHERE (l.token, u.seq) NOT IN (SELECT a.token, a.seq FROM unnest(the_tokens, the_seqs) AS a(token, seq)))
     WHERE l.token = ANY(the_tokens);
    DELETE FROM "taskwright".leases l WHERE l.token = ANY(the_tokens) AND l.seqs = '{}';
  ELSE
    DELETE FROM "taskwright".leases l WHERE l.token = ANY(the_tokens);
  END IF;
END $$;
CREATE FUNCTION taskwright.unpack(packed bytea, names text[], starts integer[], queues integer[], ranks integer[], dues bigint[], expiries bigint[], ids integer[], heads integer[], bodies integer[], base bigint, moment bigint) RETURNS TABLE(seq bigint, due bigint, expires bigint, rank smallint, queue text, id bytea, headers bytea, body bytea)
    LANGUAGE sql STABLE
    AS $$
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
SET default_tablespace = '';
SET default_table_access_method = heap;
CREATE TABLE taskwright.counters (
    key text NOT NULL COLLATE pg_catalog."C",
    value bigint NOT NULL,
    expires bigint
);
CREATE TABLE taskwright.dead (
    seq bigint NOT NULL,
    died bigint NOT NULL,
    expires bigint,
    attempts integer NOT NULL,
    losses integer NOT NULL,
    rank smallint NOT NULL,
    queue text NOT NULL COLLATE pg_catalog."C",
    reason text NOT NULL,
    id bytea NOT NULL,
    headers bytea,
    history bytea,
    body bytea NOT NULL
);
CREATE SEQUENCE taskwright.entries_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
CREATE TABLE taskwright.entries (
    key text NOT NULL COLLATE pg_catalog."C",
    version bigint DEFAULT nextval('taskwright.entries_seq'::regclass) NOT NULL,
    expires bigint,
    value bytea NOT NULL
);
CREATE UNLOGGED TABLE taskwright.eras (
    single boolean DEFAULT true NOT NULL,
    era bigint NOT NULL,
    CONSTRAINT eras_single_check CHECK (single)
);
CREATE TABLE taskwright.jobs (
    seq bigint NOT NULL,
    due bigint NOT NULL,
    expires bigint,
    attempts integer DEFAULT 0 NOT NULL,
    losses integer DEFAULT 0 NOT NULL,
    rank smallint NOT NULL,
    cancel boolean DEFAULT false NOT NULL,
    retrying boolean DEFAULT false NOT NULL,
    queue text NOT NULL COLLATE pg_catalog."C",
    id bytea NOT NULL,
    headers bytea,
    history bytea,
    body bytea NOT NULL
);
CREATE SEQUENCE taskwright.jobs_seq
    START WITH 1
    INCREMENT BY 65536
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
CREATE TABLE taskwright.leases (
    token bigint NOT NULL,
    part bigint NOT NULL,
    until bigint NOT NULL,
    due bigint NOT NULL,
    rank smallint,
    queue text NOT NULL COLLATE pg_catalog."C",
    holder text NOT NULL,
    worker text NOT NULL,
    seqs bigint[] NOT NULL
);
CREATE SEQUENCE taskwright.leases_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
CREATE TABLE taskwright.migrations (
    number integer NOT NULL,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE taskwright.outcomes (
    id bytea NOT NULL,
    expires bigint,
    attempt integer NOT NULL,
    state text NOT NULL,
    body bytea NOT NULL
);
CREATE TABLE taskwright.pauses (
    queue text NOT NULL COLLATE pg_catalog."C"
);
CREATE SEQUENCE taskwright.report_lines_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
CREATE TABLE taskwright.report_lines (
    id bytea NOT NULL,
    n bigint DEFAULT nextval('taskwright.report_lines_seq'::regclass) NOT NULL,
    lines text NOT NULL
);
CREATE TABLE taskwright.reports (
    id bytea NOT NULL,
    expires bigint NOT NULL,
    version integer NOT NULL,
    progress bytea
);
INSERT INTO taskwright.counters VALUES ('frozen', 7, NULL);
INSERT INTO taskwright.dead VALUES (131074, 1795290663140, NULL, 1, 0, 9, 'default', 'failed', '\xff64656164', NULL, '\x919501cb427a1ffa988e2000cb427a1ffa988e3000ae766d2d393335342d39343876317883a46e616d65a9547970654572726f72a76d657373616765a76e6f7420796574a5737461636bda039f547970654572726f723a206e6f74207965740a202020206174206e6f746546726f6d20282f776f726b2f77742f70672f746573742f647269766572732f66726f7a656e2f706f70756c6174652e74733a33333a3332290a202020206174202f776f726b2f77742f70672f746573742f647269766572732f66726f7a656e2f706f70756c6174652e74733a32353a36320a202020206174204173796e634c6f63616c53746f726167652e72756e20286e6f64653a6173796e635f686f6f6b733a3334363a3134290a2020202061742072756e4173202866696c653a2f2f2f776f726b2f77742f70672f646973742f6a6f622f63757272656e742e6a733a33313a3230290a2020202061742063616c6c202866696c653a2f2f2f776f726b2f77742f70672f646973742f776f726b65722f696e766f6b652e6a733a35323a3132290a2020202061742063616c6c416e64436865636b202866696c653a2f2f2f776f726b2f77742f70672f646973742f776f726b65722f696e766f6b652e6a733a34353a3139290a20202020617420636865636b416e6443616c6c202866696c653a2f2f2f776f726b2f77742f70672f646973742f776f726b65722f696e766f6b652e6a733a34313a3833290a20202020617420696e766f6b65202866696c653a2f2f2f776f726b2f77742f70672f646973742f776f726b65722f696e766f6b652e6a733a31343a3830290a202020206174202372756e202866696c653a2f2f2f776f726b2f77742f70672f646973742f776f726b65722f6578656375746f722e6a733a3135393a3235290a20202020617420237374617274202866696c653a2f2f2f776f726b2f77742f70672f646973742f776f726b65722f6578656375746f722e6a733a3134363a3239290a202020206174202370756d70202866696c653a2f2f2f776f726b2f77742f70672f646973742f776f726b65722f6578656375746f722e6a733a3132363a3234290a20202020617420496d6d6564696174652e5f6f6e496d6d656469617465202866696c653a2f2f2f776f726b2f77742f70672f646973742f776f726b65722f6578656375746f722e6a733a36353a3433290a2020202061742070726f636573732e70726f63657373496d6d65646961746520286e6f64653a696e7465726e616c2f74696d6572733a3438333a3231290a2020202061742070726f636573732e63616c6c6261636b5472616d706f6c696e6520286e6f64653a696e7465726e616c2f6173796e635f686f6f6b733a3133303a313729', '\x9501a46661696c92a464656164cb427a1ffa99c66000cb427a1ffa988de00081a66c6162656c7381a674656e616e74a161');
INSERT INTO taskwright.entries VALUES ('frozen', 2, NULL, '\x616e20656e747279');
INSERT INTO taskwright.eras VALUES (true, 983632);
INSERT INTO taskwright.jobs VALUES (196610, 1795290668156, NULL, 1, 0, 6, false, true, 'default', '\xff7265747279696e67', NULL, '\x919501cb427a1ffa988f2000cb427a1ffa988f3000ae766d2d393335342d39343876317883a46e616d65a9547970654572726f72a76d657373616765a76e6f7420796574a5737461636bda039e547970654572726f723a206e6f74207965740a202020206174206e6f746546726f6d20282f776f726b2f77742f70672f746573742f647269766572732f66726f7a656e2f706f70756c6174652e74733a33333a3332290a202020206174202f776f726b2f77742f70672f746573742f647269766572732f66726f7a656e2f706f70756c6174652e74733a32373a350a202020206174204173796e634c6f63616c53746f726167652e72756e20286e6f64653a6173796e635f686f6f6b733a3334363a3134290a2020202061742072756e4173202866696c653a2f2f2f776f726b2f77742f70672f646973742f6a6f622f63757272656e742e6a733a33313a3230290a2020202061742063616c6c202866696c653a2f2f2f776f726b2f77742f70672f646973742f776f726b65722f696e766f6b652e6a733a35323a3132290a2020202061742063616c6c416e64436865636b202866696c653a2f2f2f776f726b2f77742f70672f646973742f776f726b65722f696e766f6b652e6a733a34353a3139290a20202020617420636865636b416e6443616c6c202866696c653a2f2f2f776f726b2f77742f70672f646973742f776f726b65722f696e766f6b652e6a733a34313a3833290a20202020617420696e766f6b65202866696c653a2f2f2f776f726b2f77742f70672f646973742f776f726b65722f696e766f6b652e6a733a31343a3830290a202020206174202372756e202866696c653a2f2f2f776f726b2f77742f70672f646973742f776f726b65722f6578656375746f722e6a733a3135393a3235290a20202020617420237374617274202866696c653a2f2f2f776f726b2f77742f70672f646973742f776f726b65722f6578656375746f722e6a733a3134363a3239290a202020206174202370756d70202866696c653a2f2f2f776f726b2f77742f70672f646973742f776f726b65722f6578656375746f722e6a733a3132363a3234290a20202020617420496d6d6564696174652e5f6f6e496d6d656469617465202866696c653a2f2f2f776f726b2f77742f70672f646973742f776f726b65722f6578656375746f722e6a733a36353a3433290a2020202061742070726f636573732e70726f63657373496d6d65646961746520286e6f64653a696e7465726e616c2f74696d6572733a3438333a3231290a2020202061742070726f636573732e63616c6c6261636b5472616d706f6c696e6520286e6f64653a696e7465726e616c2f6173796e635f686f6f6b733a3133303a313729', '\x9401a5666c616b7992a87265747279696e67cb427a1ffa99c66000cb427a1ffa988f0000');
INSERT INTO taskwright.jobs VALUES (262146, 1795290663165, NULL, 0, 0, 9, false, false, 'default', '\xff616374697665', NULL, NULL, '\x9401a46e6f746591a6616374697665cb427a1ffa988fc000');
INSERT INTO taskwright.jobs VALUES (327682, 1795290663206, NULL, 0, 0, 2, false, false, 'default', '\xff77616974696e67', NULL, NULL, '\x9501a46e6f746591a777616974696e67cb427a1ffa9892300081a66c6162656c7381a674656e616e74a162');
INSERT INTO taskwright.jobs VALUES (393218, 1795290664207, NULL, 0, 0, 9, false, false, 'default', '\xff64656c61796564', NULL, NULL, '\x9401a46e6f746591a764656c61796564cb427a1ffa98926000');
INSERT INTO taskwright.jobs VALUES (458754, 4102444800000, NULL, 0, 0, 9, false, false, 'default', '\xff6c61746572', NULL, NULL, '\x9401a46e6f746591a56c61746572cb427a1ffa98927000');
INSERT INTO taskwright.jobs VALUES (524290, 1795290663211, NULL, 0, 0, 9, false, false, 'paused', '\xff706175736564', NULL, NULL, '\x9401a46e6f746591a6706175736564cb427a1ffa98929000');
INSERT INTO taskwright.leases VALUES (6226512, 0, 1795290663190, 1795290663165, 9, 'default', 'srfQ1WmcrkJY.1', 'gone', '{262146}');
INSERT INTO taskwright.migrations VALUES (1, 'tables', '1de8246cb1ea181b', '2026-11-21 19:51:02.976585+00');
INSERT INTO taskwright.migrations VALUES (2, 'functions', 'a110845c510c413e', '2026-11-21 19:51:03.0179+00');
INSERT INTO taskwright.outcomes VALUES ('\xff636f6d706c65746564', 4948890663121, 1, 'completed', '\x9201af6e6f74656420636f6d706c65746564');
INSERT INTO taskwright.outcomes VALUES ('\xff7265706f72746564', 4948890663133, 1, 'completed', '\x9201ae6e6f746564207265706f72746564');
INSERT INTO taskwright.outcomes VALUES ('\xff64656164', 4948890663141, 1, 'dead', '\x930183a46e616d65a9547970654572726f72a76d657373616765a76e6f7420796574a5737461636bda039f547970654572726f723a206e6f74207965740a202020206174206e6f746546726f6d20282f776f726b2f77742f70672f746573742f647269766572732f66726f7a656e2f706f70756c6174652e74733a33333a3332290a202020206174202f776f726b2f77742f70672f746573742f647269766572732f66726f7a656e2f706f70756c6174652e74733a32353a36320a202020206174204173796e634c6f63616c53746f726167652e72756e20286e6f64653a6173796e635f686f6f6b733a3334363a3134290a2020202061742072756e4173202866696c653a2f2f2f776f726b2f77742f70672f646973742f6a6f622f63757272656e742e6a733a33313a3230290a2020202061742063616c6c202866696c653a2f2f2f776f726b2f77742f70672f646973742f776f726b65722f696e766f6b652e6a733a35323a3132290a2020202061742063616c6c416e64436865636b202866696c653a2f2f2f776f726b2f77742f70672f646973742f776f726b65722f696e766f6b652e6a733a34353a3139290a20202020617420636865636b416e6443616c6c202866696c653a2f2f2f776f726b2f77742f70672f646973742f776f726b65722f696e766f6b652e6a733a34313a3833290a20202020617420696e766f6b65202866696c653a2f2f2f776f726b2f77742f70672f646973742f776f726b65722f696e766f6b652e6a733a31343a3830290a202020206174202372756e202866696c653a2f2f2f776f726b2f77742f70672f646973742f776f726b65722f6578656375746f722e6a733a3135393a3235290a20202020617420237374617274202866696c653a2f2f2f776f726b2f77742f70672f646973742f776f726b65722f6578656375746f722e6a733a3134363a3239290a202020206174202370756d70202866696c653a2f2f2f776f726b2f77742f70672f646973742f776f726b65722f6578656375746f722e6a733a3132363a3234290a20202020617420496d6d6564696174652e5f6f6e496d6d656469617465202866696c653a2f2f2f776f726b2f77742f70672f646973742f776f726b65722f6578656375746f722e6a733a36353a3433290a2020202061742070726f636573732e70726f63657373496d6d65646961746520286e6f64653a696e7465726e616c2f74696d6572733a3438333a3231290a2020202061742070726f636573732e63616c6c6261636b5472616d706f6c696e6520286e6f64653a696e7465726e616c2f6173796e635f686f6f6b733a3133303a313729919501cb427a1ffa988e2000cb427a1ffa988e3000ae766d2d393335342d39343876317883a46e616d65a9547970654572726f72a76d657373616765a76e6f7420796574a5737461636bda039f547970654572726f723a206e6f74207965740a202020206174206e6f746546726f6d20282f776f726b2f77742f70672f746573742f647269766572732f66726f7a656e2f706f70756c6174652e74733a33333a3332290a202020206174202f776f726b2f77742f70672f746573742f647269766572732f66726f7a656e2f706f70756c6174652e74733a32353a36320a202020206174204173796e634c6f63616c53746f726167652e72756e20286e6f64653a6173796e635f686f6f6b733a3334363a3134290a2020202061742072756e4173202866696c653a2f2f2f776f726b2f77742f70672f646973742f6a6f622f63757272656e742e6a733a33313a3230290a2020202061742063616c6c202866696c653a2f2f2f776f726b2f77742f70672f646973742f776f726b65722f696e766f6b652e6a733a35323a3132290a2020202061742063616c6c416e64436865636b202866696c653a2f2f2f776f726b2f77742f70672f646973742f776f726b65722f696e766f6b652e6a733a34353a3139290a20202020617420636865636b416e6443616c6c202866696c653a2f2f2f776f726b2f77742f70672f646973742f776f726b65722f696e766f6b652e6a733a34313a3833290a20202020617420696e766f6b65202866696c653a2f2f2f776f726b2f77742f70672f646973742f776f726b65722f696e766f6b652e6a733a31343a3830290a202020206174202372756e202866696c653a2f2f2f776f726b2f77742f70672f646973742f776f726b65722f6578656375746f722e6a733a3135393a3235290a20202020617420237374617274202866696c653a2f2f2f776f726b2f77742f70672f646973742f776f726b65722f6578656375746f722e6a733a3134363a3239290a202020206174202370756d70202866696c653a2f2f2f776f726b2f77742f70672f646973742f776f726b65722f6578656375746f722e6a733a3132363a3234290a20202020617420496d6d6564696174652e5f6f6e496d6d656469617465202866696c653a2f2f2f776f726b2f77742f70672f646973742f776f726b65722f6578656375746f722e6a733a36353a3433290a2020202061742070726f636573732e70726f63657373496d6d65646961746520286e6f64653a696e7465726e616c2f74696d6572733a3438333a3231290a2020202061742070726f636573732e63616c6c6261636b5472616d706f6c696e6520286e6f64653a696e7465726e616c2f6173796e635f686f6f6b733a3133303a313729');
INSERT INTO taskwright.pauses VALUES ('paused');
INSERT INTO taskwright.report_lines VALUES ('\xff7265706f72746564', 1, '["half of it"]');
INSERT INTO taskwright.reports VALUES ('\xff7265706f72746564', 4948890663131, 1, '\x9181a4646f6e65cb3fe0000000000000');
SELECT pg_catalog.setval('taskwright.entries_seq', 2, true);
SELECT pg_catalog.setval('taskwright.jobs_seq', 524289, true);
SELECT pg_catalog.setval('taskwright.leases_seq', 5, true);
SELECT pg_catalog.setval('taskwright.report_lines_seq', 1, true);
ALTER TABLE ONLY taskwright.counters
    ADD CONSTRAINT counters_pkey PRIMARY KEY (key);
ALTER TABLE ONLY taskwright.dead
    ADD CONSTRAINT dead_pkey PRIMARY KEY (seq);
ALTER TABLE ONLY taskwright.entries
    ADD CONSTRAINT entries_pkey PRIMARY KEY (key);
ALTER TABLE ONLY taskwright.eras
    ADD CONSTRAINT eras_pkey PRIMARY KEY (single);
ALTER TABLE ONLY taskwright.jobs
    ADD CONSTRAINT jobs_pkey PRIMARY KEY (seq);
ALTER TABLE ONLY taskwright.leases
    ADD CONSTRAINT leases_pkey PRIMARY KEY (token, part);
ALTER TABLE ONLY taskwright.migrations
    ADD CONSTRAINT migrations_pkey PRIMARY KEY (number);
ALTER TABLE ONLY taskwright.outcomes
    ADD CONSTRAINT outcomes_pkey PRIMARY KEY (id);
ALTER TABLE ONLY taskwright.pauses
    ADD CONSTRAINT pauses_pkey PRIMARY KEY (queue);
ALTER TABLE ONLY taskwright.report_lines
    ADD CONSTRAINT report_lines_pkey PRIMARY KEY (id, n);
ALTER TABLE ONLY taskwright.reports
    ADD CONSTRAINT reports_pkey PRIMARY KEY (id);
CREATE INDEX counters_expires ON taskwright.counters USING btree (expires) WHERE (expires IS NOT NULL);
CREATE UNIQUE INDEX dead_id ON taskwright.dead USING btree (id);
CREATE INDEX dead_queue ON taskwright.dead USING btree (queue, seq);
CREATE INDEX entries_expires ON taskwright.entries USING btree (expires) WHERE (expires IS NOT NULL);
CREATE INDEX jobs_cancel ON taskwright.jobs USING btree (seq) WHERE cancel;
CREATE INDEX jobs_claim ON taskwright.jobs USING btree (queue, rank, due, seq);
CREATE UNIQUE INDEX jobs_id ON taskwright.jobs USING btree (id);
CREATE INDEX outcomes_expires ON taskwright.outcomes USING btree (expires) WHERE (expires IS NOT NULL);
CREATE INDEX reports_expires ON taskwright.reports USING btree (expires);
