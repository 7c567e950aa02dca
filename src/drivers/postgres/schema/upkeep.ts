/**
 * Purpose: what is done to jobs at rest: stopping, reviving and deleting them.
 * Callers: the broker's cancel; the inspector.
 * Cost: one job after the other. While it lasts, no claim looks into the queues of the jobs.
 */
export const upkeep = (s: string, settings: string): string => `
-- Jobs that are leased, by which claim.
CREATE FUNCTION ${s}.leased() RETURNS TABLE (seq bigint, token bigint, holder text, worker text)
LANGUAGE sql STABLE AS $$
  SELECT u.seq, l.token, l.holder, l.worker FROM ${s}.leases l, unnest(l.seqs) AS u(seq)
$$;

-- Keeps claims out of the queues of these jobs.
CREATE FUNCTION ${s}.lock_jobs(the_ids bytea[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM ${s}.lock_queues(ARRAY(SELECT DISTINCT j.queue FROM ${s}.jobs j WHERE j.id = ANY(the_ids)));
END $$;

-- Answers 'c'ancelled, 'r'equested or 'a'bsent for each, in the order given. Outcomes as for store.
CREATE FUNCTION ${s}.cancel(
  the_ids bytea[], packed bytea, starts int[], ids int[], bodies int[], the_attempts int[], ttls bigint[]
) RETURNS text LANGUAGE plpgsql ${settings} AS $$
DECLARE
  answer text := '';
  busy record;
BEGIN
  PERFORM ${s}.lock_jobs(the_ids);
  FOR nth IN 1 .. cardinality(the_ids) LOOP
    SELECT l.holder INTO busy FROM ${s}.leases l, ${s}.jobs j
     WHERE j.id = the_ids[nth] AND j.seq = ANY(l.seqs);
    IF FOUND THEN
      UPDATE ${s}.jobs j SET cancel = true WHERE j.id = the_ids[nth];
      answer := answer || CASE WHEN FOUND THEN 'r' ELSE 'a' END;
      PERFORM pg_notify(${s}.channel('stop'), busy.holder || ' ' || encode(the_ids[nth], 'hex'));
    ELSE
      DELETE FROM ${s}.jobs j WHERE j.id = the_ids[nth];
      IF FOUND THEN
        answer := answer || 'c';
        PERFORM ${s}.store(packed, starts[nth:nth], ids[nth:nth], bodies[nth:nth], '{cancelled}',
                           the_attempts[nth:nth], ttls[nth:nth]);
      ELSE
        answer := answer || 'a';
      END IF;
    END IF;
  END LOOP;
  RETURN answer;
END $$;

-- Dead letters go back in line, and their outcomes are dropped. Answers the ids that were found.
CREATE FUNCTION ${s}.revive(the_ids bytea[]) RETURNS SETOF bytea LANGUAGE plpgsql ${settings} AS $$
DECLARE
  one record;
  moment bigint := ${s}.now_ms();
BEGIN
  FOR one IN DELETE FROM ${s}.dead d WHERE d.id = ANY(the_ids) RETURNING d.* LOOP
    DELETE FROM ${s}.outcomes o WHERE o.id = one.id;
    INSERT INTO ${s}.jobs (seq, due, expires, rank, queue, id, headers, body)
    VALUES (nextval('${s}.jobs_seq'), moment, one.expires, one.rank, one.queue, one.id, one.headers, one.body)
    ON CONFLICT (id) DO NOTHING;
    PERFORM ${s}.tell_work(jsonb_build_array(jsonb_build_array(one.queue, moment)));
    RETURN NEXT one.id;
  END LOOP;
END $$;

-- Deletes jobs that are not active. Answers the ids that were found.
CREATE FUNCTION ${s}.discard(the_ids bytea[]) RETURNS SETOF bytea LANGUAGE plpgsql ${settings} AS $$
BEGIN
  PERFORM ${s}.lock_jobs(the_ids);
  RETURN QUERY DELETE FROM ${s}.dead d WHERE d.id = ANY(the_ids) RETURNING d.id;
  RETURN QUERY DELETE FROM ${s}.jobs j WHERE j.id = ANY(the_ids)
    AND j.seq NOT IN (SELECT l.seq FROM ${s}.leased() l) RETURNING j.id;
END $$;

-- Deletes the jobs of a queue that are in one of these states, and answers how many.
CREATE FUNCTION ${s}.purge(name text, states text[]) RETURNS bigint LANGUAGE plpgsql ${settings} AS $$
DECLARE
  moment bigint;
  purged bigint := 0;
  more bigint;
BEGIN
  PERFORM ${s}.lock_queues(ARRAY[name]);
  moment := ${s}.now_ms();
  DELETE FROM ${s}.jobs j WHERE j.queue = name
     AND j.seq NOT IN (SELECT l.seq FROM ${s}.leased() l)
     AND CASE WHEN j.due <= moment THEN 'waiting' WHEN j.retrying THEN 'retrying' ELSE 'scheduled' END = ANY(states);
  GET DIAGNOSTICS purged = ROW_COUNT;
  IF 'dead' = ANY(states) THEN
    DELETE FROM ${s}.dead d WHERE d.queue = name;
    GET DIAGNOSTICS more = ROW_COUNT;
    purged := purged + more;
  END IF;
  RETURN purged;
END $$;
`;
