/**
 * A lease's token is one number: which job, and which of its claims. Numbers of jobs are never used twice and each claim
 * has the next count, so an outdated token fits nothing, and the job is found by its primary key (half the cost of
 * finding it by id).
 *
 * 2^53 / 1024 leaves numbers for 8.8e12 jobs in a file's life: 28 years at 10,000 jobs/s.
 */
export const CLAIMS = 1024;

/** Counts of claims go from 1 to this, and on at 2: 1 tells that nobody had the job before. */
export const LAST_CLAIM = CLAIMS - 1;

export interface LeaseKey {
  readonly seq: number;
  readonly claims: number;
}

export function toToken({ seq, claims }: LeaseKey): number {
  return seq * CLAIMS + claims;
}

/** A token as a number; where it is none of ours, one that is in no database. */
export function toNumber(token: string | number): number {
  return typeof token === "number" && Number.isSafeInteger(token) ? token : -1;
}

/** The parts of a token. */
export function fromToken(token: string | number): LeaseKey {
  if (typeof token !== "number") return { seq: -1, claims: -1 };
  return { seq: Math.floor(token / CLAIMS), claims: token % CLAIMS };
}
