/** Receives items in the order they were added. It settles them itself, failures included, and never rejects. */
export type Flush<T> = (items: T[]) => Promise<void>;

/**
 * The one batching primitive: publish, settle and reports all pass through it. Items added in the same turn of the event
 * loop travel together; while batches are under way, the next one gathers, so a slow server gets larger batches, not more
 * of them (group commit).
 */
export class Batcher<T> {
  readonly #flush: Flush<T>;
  readonly #max: number;
  readonly #lanes: number;
  #waiting: T[] = [];
  /** Where those begin in `#waiting` that no batch has taken: cutting the rest anew for each batch would copy it each time. */
  #next = 0;
  #scheduled = false;
  /** Batches under way. */
  #underWay = 0;
  #idle: (() => void)[] = [];

  /**
   * @param max - The most items of one batch.
   * @param lanes - The most batches under way at once. Default 1.
   */
  constructor(flush: Flush<T>, max: number, lanes = 1) {
    this.#flush = flush;
    this.#max = max;
    this.#lanes = lanes;
  }

  add(item: T): void {
    this.#waiting.push(item);
    if (this.#scheduled || this.#underWay === this.#lanes) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#start();
    });
  }

  /** Resolves when everything added so far has been flushed. */
  async idle(): Promise<void> {
    if (!this.#hasWaiting && this.#underWay === 0) return;
    await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #start(): void {
    while (this.#hasWaiting && this.#underWay < this.#lanes) {
      this.#underWay += 1;
      void this.#flush(this.#take()).then(() => this.#done());
    }
  }

  get #hasWaiting(): boolean {
    return this.#next < this.#waiting.length;
  }

  #take(): T[] {
    const gathered = this.#waiting;
    const begin = this.#next;
    this.#next += this.#max;
    if (!this.#hasWaiting) {
      this.#waiting = [];
      this.#next = 0;
      if (begin === 0) return gathered;
    }
    return gathered.slice(begin, begin + this.#max);
  }

  #done(): void {
    this.#underWay -= 1;
    if (this.#hasWaiting) return this.#start();
    if (this.#underWay > 0) return;
    const idle = this.#idle;
    this.#idle = [];
    for (const resolve of idle) resolve();
  }
}
