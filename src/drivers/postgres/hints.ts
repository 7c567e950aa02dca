/**
 * What this process knows of its queues from earlier claims, for later ones (see schema/claiming.ts): without it a claim
 * looks at all there is, which is slow only while an old transaction keeps what was deleted from being cleaned away.
 *
 * A hint says up to where all jobs of a rank were taken. Jobs appear before that place when they are put back, or when a
 * transaction commits that began earlier; whoever does that tells how far back, and the hint goes back there. In case that
 * was missed, a claim now and then goes without hints.
 */
export class Hints {
  /** Numbers as texts: tokens are too large for ours. */
  readonly #hints = new Map<string, string[]>();
  /** When the next claim goes without hints, in ms of any clock that only grows. */
  #nextFull = Number.NEGATIVE_INFINITY;
  #lastCost = 0;

  /** Is it time for a claim without? */
  isFullDue(now: number): boolean {
    return now >= this.#nextFull;
  }

  /** So fast that it is worth while whenever a claim with hints found nothing. */
  get fullIsCheap(): boolean {
    return this.#lastCost <= CHEAP;
  }

  noteFull(now: number, cost: number): void {
    this.#lastCost = cost;
    this.#nextFull = now + Math.max(LEAST_PAUSE, cost * SHARE);
  }

  of(queue: string): string | null {
    const hint = this.#hints.get(queue);
    return hint === undefined ? null : `{${hint.join(",")}}`;
  }

  set(queue: string, hint: string[]): void {
    this.#hints.set(queue, hint);
  }

  /** Jobs of this queue that are due from `due` on may have come. */
  lower(queue: string, due: number): void {
    const hint = this.#hints.get(queue);
    if (hint === undefined) return;
    for (let rank = 0; rank < 10; rank++) {
      const at = 1 + 2 * rank;
      if (Number(hint[at]) < due) continue;
      hint[at] = String(due);
      hint[at + 1] = "0";
    }
  }

  reset(queue: string): void {
    this.#hints.delete(queue);
  }

  resetAll(): void {
    this.#hints.clear();
  }
}

/** Milliseconds. */
const CHEAP = 20;
const LEAST_PAUSE = 1000;
/** Claims without hints take at most one part in so many of the time. */
const SHARE = 20;
