import type { CancelTimer, Clock } from "../contracts/index.js";

/** Calls back for each item whose time has come. One timer serves all; adding and removing an item costs no timer. */
export class Deadlines<T> {
  readonly #clock: Clock;
  readonly #passed: (item: T) => void;
  readonly #due = new Map<T, number>();
  #timer: { readonly at: number; readonly cancel: CancelTimer } | undefined;

  constructor(clock: Clock, passed: (item: T) => void) {
    this.#clock = clock;
    this.#passed = passed;
  }

  /** @param at - Epoch ms. */
  add(item: T, at: number): void {
    this.#due.set(item, at);
    if (this.#timer === undefined || at < this.#timer.at) this.#arm(at);
  }

  delete(item: T): void {
    this.#due.delete(item);
  }

  close(): void {
    this.#due.clear();
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #arm(at: number): void {
    this.#timer?.cancel();
    this.#timer = { at, cancel: this.#clock.schedule(() => this.#fire(), at - this.#clock.now()) };
  }

  #fire(): void {
    this.#timer = undefined;
    const now = this.#clock.now();
    let next = Number.POSITIVE_INFINITY;
    for (const [item, at] of this.#due) {
      if (at > now) {
        next = Math.min(next, at);
        continue;
      }
      this.#due.delete(item);
      this.#passed(item);
    }
    if (next < Number.POSITIVE_INFINITY) this.#arm(next);
  }
}
