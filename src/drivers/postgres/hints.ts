/** How far back jobs may have come while somebody looked: what he found may be from before them. */
export class Heard {
  readonly #dues = new Map<string, number>();
  #all = false;

  /** Of this queue, from `due` on. */
  note(queue: string, due: number): void {
    this.#dues.set(queue, Math.min(due, this.of(queue) ?? due));
  }

  noteAll(): void {
    this.#all = true;
  }

  /** Nothing where nothing was heard of the queue. */
  of(queue: string): number | undefined {
    return this.#all ? 0 : this.#dues.get(queue);
  }
}

/**
 * What this process knows of its queues from earlier claims, for later ones (see schema/claiming.ts): without it a claim
 * looks at all there is, which is slow only while an old transaction keeps what was deleted from being cleaned away.
 *
 * A hint says up to where all jobs of a rank were taken. Jobs appear before that place when they are put back, or when a
 * transaction commits that began earlier; whoever does that tells how far back, and the hint goes back there. In case that
 * was missed, a claim now and then goes without hints, or, where that is not cheap, what they leave out is searched beside
 * the claims.
 */
export class Hints {
  /** Numbers as texts: tokens are too large for ours. */
  readonly #hints = new Map<string, string[]>();
  /** Of those who look at this moment. */
  readonly #listening = new Set<Heard>();
  /** When that is to be the next time, in ms of any clock that only grows. */
  #nextFull = Number.NEGATIVE_INFINITY;
  #lastCost = 0;

  /** Is it time for a look at all there is? */
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

  /**
   * Looks, and hears meanwhile. A message may come while the answer of a claim that was before it is on its way: the hint of
   * that claim would leave out what the message told, and nothing would look there again before the next full look.
   */
  async whileHearing<T>(look: (heard: Heard) => Promise<T>): Promise<T> {
    const heard = new Heard();
    this.#listening.add(heard);
    try {
      return await look(heard);
    } finally {
      this.#listening.delete(heard);
    }
  }

  /** What a claim found. */
  set(queue: string, hint: string[], heard: Heard): void {
    this.#hints.set(queue, hint);
    const due = heard.of(queue);
    if (due !== undefined) this.#lowerHint(queue, due);
  }

  /** What was found where a queue begins, unless a claim was faster. */
  begin(queue: string, hint: string[], heard: Heard): void {
    if (!this.#hints.has(queue)) this.set(queue, hint, heard);
  }

  /** Up to where all jobs of each rank were taken. */
  places(queue: string): { readonly rank: number; readonly due: number; readonly seq: string }[] {
    const hint = this.#hints.get(queue) ?? [];
    return hint.slice(1, 21).flatMap((due, at) => {
      const seq = hint[at + 2];
      return at % 2 === 1 || due === "0" || seq === undefined ? [] : [{ rank: at / 2, due: Number(due), seq }];
    });
  }

  /** Jobs of this queue, and this rank or any, that are due from `due` on may have come. */
  lower(queue: string, due: number, only?: number): void {
    for (const heard of this.#listening) heard.note(queue, due);
    this.#lowerHint(queue, due, only);
  }

  #lowerHint(queue: string, due: number, only?: number): void {
    const hint = this.#hints.get(queue);
    if (hint === undefined) return;
    for (let rank = only ?? 0; rank <= (only ?? 9); rank++) {
      const at = 1 + 2 * rank;
      if (Number(hint[at]) < due) continue;
      hint[at] = String(due);
      hint[at + 1] = "0";
    }
  }

  reset(queue: string): void {
    this.#hints.delete(queue);
    for (const heard of this.#listening) heard.note(queue, 0);
  }

  resetAll(): void {
    this.#hints.clear();
    for (const heard of this.#listening) heard.noteAll();
  }
}

/** Milliseconds. */
const CHEAP = 20;
const LEAST_PAUSE = 1000;
/** Looks at all there is take at most one part in so many of the time. */
const SHARE = 20;
