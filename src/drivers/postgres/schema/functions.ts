import { claiming } from "./claiming.js";
import { leasing } from "./leasing.js";
import { publishing } from "./publishing.js";
import { settling } from "./settling.js";
import { upkeep } from "./upkeep.js";

/**
 * What of a function's settings is not to be left to chance. Plans are made once a session, often when the tables are empty
 * and any plan seems good, so those that would not do for a million rows are forbidden; and what is forbidden looks so
 * expensive to the planner that it would compile it. Functions that only others call have them from those.
 */
export const SETTINGS = `
  SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off
  SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off`;

/**
 * Each call of the hot path is one function: one round trip and one transaction, whatever the number of statements in it,
 * plans that need no prepared statement of the connection's (so PgBouncer may give each call another one), and the same
 * for our own connections and in the transactions of users, who pass only numbers, texts and bytes. A change of a
 * function is a new migration.
 */
export function functions(s: string): string {
  return [notifying(s), publishing(s, SETTINGS), claiming(s, SETTINGS), leasing(s, SETTINGS)]
    .concat(settling(s, SETTINGS), upkeep(s, SETTINGS))
    .join("\n");
}

/**
 * One channel for each kind of listener, named after the schema (its oid, as names of channels are short): work, what was
 * asked to stop, outcomes and reports.
 */
const notifying = (s: string): string => `
CREATE FUNCTION ${s}.now_ms() RETURNS bigint LANGUAGE sql VOLATILE AS $$
  SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint
$$;

CREATE FUNCTION ${s}.channel(kind text) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT 'taskwright_' || kind || '_' || to_regclass('${s}.jobs')::oid::text
$$;

-- Tells that jobs of these queues may be claimed, the first of each at its due. Too many names to send: at any time.
CREATE FUNCTION ${s}.tell_work(work jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify(${s}.channel('work'), CASE WHEN octet_length(work::text) < 7900 THEN work::text ELSE '' END);
END $$;

-- Tells of outcomes ('o') or reports ('r') of some ids, as many in one message as fit.
CREATE FUNCTION ${s}.tell_news(kind text, ids bytea[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify(${s}.channel('news'), kind || string_agg(part.hex, ',' ORDER BY part.n))
    FROM (SELECT hexes.n, hexes.hex, sum(length(hexes.hex) + 1) OVER (ORDER BY hexes.n) / 5500 AS page
            FROM (SELECT u.n, encode(u.id, 'hex') AS hex FROM unnest(ids) WITH ORDINALITY AS u(id, n)) hexes) part
   GROUP BY part.page;
END $$;
`;
