import type { ClaimedJob } from "../../contracts/broker.js";
import type { Clock } from "../../contracts/clock.js";
import type { PooledSession } from "./client/client.js";
import type { ClaimTerms } from "./statements/claiming.js";
import type { Statements } from "./statements/index.js";

/** At least so many jobs that have become due move in line at once. */
const PROMOTE_MIN = 1000;
/** Milliseconds between two looks for jobs that have become due, of a worker whose claims come back full. */
const PROMOTE_EVERY = 10;

/** Takes jobs from the front of lines, within transactions of the caller's. */
export class Claims {
  readonly #statements: Statements;
  readonly #clock: Clock;
  /** When jobs of a queue that had become due were last moved in line. */
  readonly #promoted = new Map<string, number>();

  constructor(statements: Statements, clock: Clock) {
    this.#statements = statements;
    this.#clock = clock;
  }

  /** From one queue. What has become due is moved in line where that is not enough, and now and then where it is. */
  async claim(session: PooledSession, queue: string, terms: ClaimTerms): Promise<ClaimedJob[]> {
    const first = this.#isPromotionDue(queue);
    if (first) await this.#promote(session, queue, terms.max);
    const jobs = await this.#claimReady(session, queue, terms);
    const left = terms.max - jobs.length;
    if (left === 0 || first || (await this.#promote(session, queue, left)) === 0) return jobs;
    return [...jobs, ...(await this.#claimReady(session, queue, { ...terms, max: left }))];
  }

  async #claimReady(session: PooledSession, queue: string, terms: ClaimTerms): Promise<ClaimedJob[]> {
    const { slices, claiming } = this.#statements;
    for (;;) {
      const front = await slices.ready(session, queue);
      const { jobs, exhausted } = await claiming.claim(session, queue, front, terms);
      const removed = await slices.tidy(session, queue, exhausted);
      // Where all that were looked through had lost their jobs to somebody else, there may be more behind them.
      if (jobs.length > 0 || removed === 0) return jobs;
    }
  }

  #isPromotionDue(queue: string): boolean {
    const last = this.#promoted.get(queue) ?? Number.NEGATIVE_INFINITY;
    return this.#clock.now() - last >= PROMOTE_EVERY;
  }

  async #promote(session: PooledSession, queue: string, max: number): Promise<number> {
    const promoted = await promote(this.#statements, session, queue, Math.max(max, PROMOTE_MIN));
    this.#promoted.set(queue, this.#clock.now());
    return promoted;
  }
}

/** Moves up to `max` jobs of a queue that have become due in line, and answers how many: 0 only where there are none. */
export async function promote(
  { slices, claiming }: Statements,
  session: PooledSession,
  queue: string,
  max: number,
): Promise<number> {
  for (;;) {
    const later = await slices.later(session, queue);
    const { count, exhausted } = await claiming.promote(session, queue, later, max);
    const removed = await slices.tidy(session, queue, exhausted);
    if (count > 0 || removed === 0) return count;
  }
}
