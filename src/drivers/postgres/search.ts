import type { Logger } from "../../contracts/logger.js";
import { integer, text } from "./cells.js";
import { type Database, onlyRow, type Row } from "./database.js";
import type { Hints } from "./hints.js";

/** Above all places in line. */
const LAST_SEQ = "9223372036854775807";
/** Milliseconds: where millions of rows wait to be cleaned away, looking past all of them takes its time. */
export const SEARCH_TIMEOUT = 600_000;
/** Bytes of an index that any claim walks over in some 50 ms: of 150,000 jobs. */
const SMALL = 8 * 1024 * 1024;

/** The place in line up to which one rank of a queue is looked through. */
interface Bound {
  readonly queue: string;
  readonly rank: number;
  readonly due: number;
  readonly seq: string;
}

/** The first job there that may be claimed, in that rank. */
interface Place {
  readonly queue: string;
  readonly rank: number;
  readonly due: number;
  /** One before it. */
  readonly before: string;
}

/**
 * Looks where queues begin, without holding up the claims of others.
 *
 * A claim without a hint walks over all the rows that ended and could not be cleaned away yet, and holds the queue's lock
 * meanwhile: after two minutes of 40,000 jobs/s under a transaction that stayed open that took longer than any call may, so
 * a worker that came new never claimed anything. The same walk in a statement of its own takes as long, but locks nothing,
 * has its time, and is made once.
 */
export class Search {
  /** Patient, and otherwise that of the claims. */
  readonly #database: Database;
  readonly #hints: Hints;
  readonly #logger: Logger;
  readonly #small: number;
  #starting: Promise<void> | undefined;
  #lookingBehind = false;

  /** @param small - Bytes of the claim index up to which nothing needs to be searched. */
  constructor(database: Database, hints: Hints, logger: Logger, small = SMALL) {
    this.#database = database;
    this.#hints = hints;
    this.#logger = logger;
    this.#small = small;
  }

  /** Finds a hint for those of the queues that have none. */
  async start(queues: readonly string[]): Promise<void> {
    while (this.#starting !== undefined) await this.#starting;
    const unknown = queues.filter((queue) => this.#hints.of(queue) === null);
    if (unknown.length === 0) return;
    this.#starting = this.#start(unknown).finally(() => {
      this.#starting = undefined;
    });
    await this.#starting;
  }

  async #start(queues: readonly string[]): Promise<void> {
    await this.#hints.whileHearing(async (heard) => {
      if (await this.#isSmall()) return;
      const found = new Map<string, string[]>();
      const places = await this.#look((moment, era) => {
        if (era === undefined) return [];
        for (const queue of queues) found.set(queue, [era, ...RANKS.flatMap(() => [String(moment - 1), "0"])]);
        return queues.flatMap((queue) => RANKS.map((rank) => ({ queue, rank, due: moment, seq: LAST_SEQ })));
      });
      for (const { queue, rank, due, before } of places) {
        found.get(queue)?.splice(1 + 2 * rank, 2, String(due), before);
      }
      for (const [queue, hint] of found) this.#hints.begin(queue, hint, heard);
    });
  }

  async #isSmall(): Promise<boolean> {
    const { schema, location } = this.#database;
    const rows = await this.#database.query("SELECT pg_relation_size($1::regclass)", [`${schema}.jobs_claim`]);
    return integer(onlyRow(rows, location)[0]) <= this.#small;
  }

  /** Finds what the hints say is not there, in case a message was missed. It may be called at any time, and never rejects. */
  async lookBehind(queues: readonly string[]): Promise<void> {
    if (this.#lookingBehind) return;
    this.#lookingBehind = true;
    try {
      const bounds = queues.flatMap((queue) => this.#hints.places(queue).map((place) => ({ queue, ...place })));
      const places = bounds.length === 0 ? [] : await this.#look(() => bounds);
      for (const { queue, rank, due } of places) this.#hints.lower(queue, due, rank);
    } catch (err) {
      this.#logger.debug(
        { err, queues },
        "what the hints of a claim leave out could not be searched; the next time is soon",
      );
    } finally {
      this.#lookingBehind = false;
    }
  }

  async #look(boundsAt: (moment: number, era: string | undefined) => readonly Bound[]): Promise<readonly Place[]> {
    const { schema, clock } = this.#database;
    const began = clock.now();
    try {
      return await this.#database.transaction(async (queryable) => {
        const [row = []] = await queryable.query(prepare(schema), []);
        const [moment, era] = row;
        const bounds = boundsAt(integer(moment), era === null ? undefined : text(era));
        if (bounds.length === 0) return [];
        const rows = await queryable.query(search(schema), [
          bounds.map(({ queue }) => queue),
          bounds.map(({ rank }) => String(rank)),
          bounds.map(({ due }) => String(due)),
          bounds.map(({ seq }) => seq),
        ]);
        return rows.map(toPlace);
      });
    } finally {
      const now = clock.now();
      this.#hints.noteFull(now, now - began);
    }
  }
}

const RANKS: readonly number[] = Array.from({ length: 10 }, (_, rank) => rank);

/** As in the functions: no plan that would not do for a million rows. Answers the moment and the era. */
const prepare = (s: string): string => `
  SELECT ${s}.now_ms(), (SELECT e.era::text FROM ${s}.eras e), set_config('enable_seqscan', 'off', true),
    set_config('enable_bitmapscan', 'off', true), set_config('enable_sort', 'off', true), set_config('jit', 'off', true)`;

const search = (s: string): string => `
  SELECT b.queue, b.rank, f.due, (f.seq - 1)::text
    FROM unnest($1::text[], $2::smallint[], $3::bigint[], $4::bigint[]) AS b(queue, rank, due, seq) CROSS JOIN LATERAL (
      SELECT k.due, k.seq FROM ${s}.jobs k
       WHERE k.queue = b.queue AND k.rank = b.rank AND (k.due, k.seq) <= (b.due, b.seq)
         AND k.seq NOT IN (SELECT l.seq FROM ${s}.leased() l)
       ORDER BY k.due, k.seq LIMIT 1) f`;

function toPlace([queue, rank, due, before]: Row): Place {
  return { queue: text(queue), rank: integer(rank), due: integer(due), before: text(before) };
}
