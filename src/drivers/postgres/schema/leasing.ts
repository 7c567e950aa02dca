/**
 * Purpose: keeps leases alive, and takes back those whose time is over.
 * Callers: the consumer's heartbeat; the broker's sweep, by every worker now and then.
 * Cost: of a heartbeat one row for each 100 jobs of a claim; of a sweep a look at every lease.
 *   None of it is flushed to the disk: what is lost is done again.
 *
 * When only some jobs of a row are renewed, they go on in a row of their own.
 */
export const leasing = (s: string, settings: string): string => `
-- Locks leases in the order of their tokens, whoever asks.
CREATE FUNCTION ${s}.lock_leases(tokens bigint[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM 1 FROM (
    SELECT FROM ${s}.leases l WHERE l.token = ANY(tokens) ORDER BY l.token, l.part FOR UPDATE) locked;
END $$;

-- Takes jobs out of leases that are locked.
CREATE FUNCTION ${s}.unlease(the_tokens bigint[], the_seqs bigint[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (
    SELECT FROM ${s}.leases l, unnest(l.seqs) AS u(seq)
     WHERE l.token = ANY(the_tokens)
       AND (l.token, u.seq) NOT IN (SELECT a.token, a.seq FROM unnest(the_tokens, the_seqs) AS a(token, seq))
  ) THEN
    UPDATE ${s}.leases l SET seqs = ARRAY(
      SELECT u.seq FROM unnest(l.seqs) AS u(seq)
       WHERE (l.token, u.seq) NOT IN (SELECT a.token, a.seq FROM unnest(the_tokens, the_seqs) AS a(token, seq)))
     WHERE l.token = ANY(the_tokens);
    DELETE FROM ${s}.leases l WHERE l.token = ANY(the_tokens) AND l.seqs = '{}';
  ELSE
    DELETE FROM ${s}.leases l WHERE l.token = ANY(the_tokens);
  END IF;
END $$;

-- Gives one job of a claim a lease and a token of its own, which it answers, so that a transaction of a user's can hold that
-- lease for as long as it likes. Claims of the queue wait meanwhile: they read leases, then jobs. Where the job is lost, the
-- token stays, and settling says so.
CREATE FUNCTION ${s}.split_lease(the_token bigint, the_seq bigint) RETURNS text LANGUAGE plpgsql ${settings} AS $$
DECLARE
  own bigint := nextval('${s}.leases_seq') * 1048576 + ${s}.current_era();
BEGIN
  PERFORM set_config('synchronous_commit', 'off', true);
  PERFORM ${s}.lock_queues(ARRAY(SELECT DISTINCT l.queue FROM ${s}.leases l WHERE l.token = the_token));
  PERFORM ${s}.lock_leases(ARRAY[the_token]);
  INSERT INTO ${s}.leases (token, part, until, due, rank, queue, holder, worker, seqs)
  SELECT own, 0, l.until, l.due, l.rank, l.queue, l.holder, l.worker, ARRAY[the_seq]
    FROM ${s}.leases l WHERE l.token = the_token AND the_seq = ANY(l.seqs);
  IF NOT FOUND THEN RETURN the_token::text; END IF;
  PERFORM ${s}.unlease(ARRAY[the_token], ARRAY[the_seq]);
  RETURN own::text;
END $$;

-- The positions of leases that are lost: of another claim by now, or gone.
CREATE FUNCTION ${s}.lost(the_tokens bigint[], the_seqs bigint[]) RETURNS int[] LANGUAGE plpgsql AS $$
BEGIN
  RETURN ARRAY(
    SELECT a.n::int FROM unnest(the_tokens, the_seqs) WITH ORDINALITY AS a(token, seq, n)
     WHERE (a.token, a.seq) NOT IN (
       SELECT l.token, u.seq FROM ${s}.leases l, unnest(l.seqs) AS u(seq) WHERE l.token = ANY(the_tokens)));
END $$;

-- Answers 'h'eld, 'c'ancel or 'l'ost for each.
CREATE FUNCTION ${s}.extend(the_tokens bigint[], the_seqs bigint[], lease bigint)
RETURNS text LANGUAGE plpgsql ${settings} AS $$
DECLARE
  later bigint;
  gone int[];
  stopping bigint[];
BEGIN
  PERFORM set_config('synchronous_commit', 'off', true);
  PERFORM ${s}.lock_leases(the_tokens);
  later := ${s}.now_ms() + lease;
  gone := ${s}.lost(the_tokens, the_seqs);
  INSERT INTO ${s}.leases (token, part, until, due, rank, queue, holder, worker, seqs)
  SELECT l.token, nextval('${s}.leases_seq'), l.until, l.due, l.rank, l.queue, l.holder, l.worker, rest.seqs
    FROM ${s}.leases l CROSS JOIN LATERAL (
      SELECT array_agg(u.seq) AS seqs FROM unnest(l.seqs) AS u(seq)
       WHERE (l.token, u.seq) NOT IN (SELECT a.token, a.seq FROM unnest(the_tokens, the_seqs) AS a(token, seq))) rest
   WHERE l.token = ANY(the_tokens) AND rest.seqs IS NOT NULL AND rest.seqs <> l.seqs;
  IF FOUND THEN
    UPDATE ${s}.leases l SET until = later, seqs = ARRAY(
      SELECT u.seq FROM unnest(l.seqs) AS u(seq)
       WHERE (l.token, u.seq) IN (SELECT a.token, a.seq FROM unnest(the_tokens, the_seqs) AS a(token, seq)))
     WHERE l.token = ANY(the_tokens) AND EXISTS (
      SELECT FROM unnest(l.seqs) AS u(seq)
       WHERE (l.token, u.seq) IN (SELECT a.token, a.seq FROM unnest(the_tokens, the_seqs) AS a(token, seq)));
  ELSE
    UPDATE ${s}.leases l SET until = later WHERE l.token = ANY(the_tokens)
       AND EXISTS (SELECT FROM unnest(l.seqs) AS u(seq) WHERE u.seq = ANY(the_seqs));
  END IF;
  stopping := ARRAY(SELECT j.seq FROM ${s}.jobs j WHERE j.cancel AND j.seq = ANY(the_seqs));
  RETURN (SELECT string_agg(
            CASE WHEN a.n = ANY(gone) THEN 'l' WHEN a.seq = ANY(stopping) THEN 'c' ELSE 'h' END, '' ORDER BY a.n)
            FROM unnest(the_seqs) WITH ORDINALITY AS a(seq, n));
END $$;

CREATE FUNCTION ${s}.sweep_leases(most int, delay bigint, jitter bigint)
RETURNS int LANGUAGE plpgsql ${settings} AS $$
DECLARE
  moment bigint := ${s}.now_ms();
  recovered int := 0;
  one record;
  taken bigint[];
BEGIN
  PERFORM set_config('synchronous_commit', 'off', true);
  FOR one IN
    SELECT l.token, l.part, l.queue, l.seqs FROM ${s}.leases l
     WHERE l.until <= moment ORDER BY l.token, l.part FOR UPDATE SKIP LOCKED
  LOOP
    EXIT WHEN recovered >= most;
    taken := one.seqs[1 : most - recovered];
    UPDATE ${s}.jobs j
       SET attempts = j.attempts + 1, losses = j.losses + 1, retrying = true,
           due = moment + delay + floor(random() * (jitter + 1))::bigint
     WHERE j.seq = ANY(taken);
    UPDATE ${s}.leases l SET seqs = one.seqs[cardinality(taken) + 1 :] WHERE l.token = one.token AND l.part = one.part;
    DELETE FROM ${s}.leases l WHERE l.token = one.token AND l.part = one.part AND l.seqs = '{}';
    recovered := recovered + cardinality(taken);
    PERFORM ${s}.tell_work(jsonb_build_array(jsonb_build_array(one.queue, moment + delay)));
  END LOOP;
  RETURN recovered;
END $$;
`;
