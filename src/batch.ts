/** Receives items in the order they were added. It settles them itself, failures included, and never rejects. */
export type Flush<T> = (items: T[]) => Promise<void>;

/**
 * The one batching primitive: publish, settle and reports all pass through it. Items added in the same turn of the event
 * loop travel together; while one batch is under way, the next one gathers, so a slow server gets larger batches, not
 * more of them (group commit).
 */
export class Batcher<T> {
  readonly #flush: Flush<T>;
  readonly #max: number;
  #waiting: T[] = [];
  #scheduled = false;
  #flushing = false;
  #idle: (() => void)[] = [];

  /** @param max - The most items of one batch; more travel in several, one after the other. */
  constructor(flush: Flush<T>, max: number) {
    this.#flush = flush;
    this.#max = max;
  }

  add(item: T): void {
    this.#waiting.push(item);
    if (this.#scheduled || this.#flushing) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      void this.#run();
    });
  }

  /** Resolves when everything added so far has been flushed. */
  async idle(): Promise<void> {
    if (this.#waiting.length === 0 && !this.#flushing) return;
    await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  async #run(): Promise<void> {
    this.#flushing = true;
    while (this.#waiting.length > 0) {
      const gathered = this.#waiting;
      this.#waiting = [];
      if (gathered.length <= this.#max) await this.#flush(gathered);
      else
        for (let at = 0; at < gathered.length; at += this.#max) await this.#flush(gathered.slice(at, at + this.#max));
    }
    this.#flushing = false;
    const idle = this.#idle;
    this.#idle = [];
    for (const resolve of idle) resolve();
  }
}
