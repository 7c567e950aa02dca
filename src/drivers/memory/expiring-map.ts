import { type Linked, LinkedList } from "./linked-list.js";

interface Kept<T> extends Linked<Kept<T>> {
  readonly key: string;
  value: T;
  /** Epoch ms; `Infinity` for until it is removed. */
  readonly expiresAt: number;
}

/** Values that may expire. Expired ones are absent to every reader, and deleted by `sweep`. */
export class ExpiringMap<T> {
  readonly #byKey = new Map<string, Kept<T>>();
  /**
   * Oldest first. A `Map` has this order too, but finding its first key walks over all that were deleted before it:
   * measured with 100,000 outcomes kept, 27 microseconds an outcome against 0.3.
   */
  readonly #byAge = new LinkedList<Kept<T>>();

  get(key: string, now: number): T | undefined {
    const kept = this.#byKey.get(key);
    return kept && kept.expiresAt > now ? kept.value : undefined;
  }

  /**
   * Keeps `value` as the newest, for `ttl` ms or until it is deleted.
   *
   * @param stays - tells of a live earlier value whether it is to stay instead; then nothing is written
   * @returns whether it was written
   */
  set(key: string, value: T, ttl: number | undefined, now: number, stays?: (earlier: T) => boolean): boolean {
    const earlier = this.#byKey.get(key);
    if (earlier) {
      if (earlier.expiresAt > now && stays?.(earlier.value)) return false;
      this.#byAge.remove(earlier);
    }
    const expiresAt = ttl === undefined ? Number.POSITIVE_INFINITY : now + ttl;
    const kept: Kept<T> = { key, value, expiresAt, previous: undefined, next: undefined };
    this.#byKey.set(key, kept);
    this.#byAge.append(kept);
    return true;
  }

  /** Replaces a live value without renewing its time. */
  update(key: string, value: T): void {
    const kept = this.#byKey.get(key);
    if (kept) kept.value = value;
  }

  /** Answers whether there was a live one. */
  delete(key: string, now: number): boolean {
    const kept = this.#byKey.get(key);
    if (!kept) return false;
    this.#remove(kept);
    return kept.expiresAt > now;
  }

  /** Deletes the oldest until at most `max` are left. */
  trim(max: number): void {
    while (this.#byKey.size > max && this.#byAge.first) this.#remove(this.#byAge.first);
  }

  /** Deletes up to `max` expired values and answers how many. */
  sweep(max: number, now: number): number {
    let swept = 0;
    for (const kept of this.#byKey.values()) {
      if (swept >= max) break;
      if (kept.expiresAt > now) continue;
      this.#remove(kept);
      swept++;
    }
    return swept;
  }

  /** Keys and values that have not expired. */
  *live(now: number): Iterable<[key: string, value: T]> {
    for (const { key, value, expiresAt } of this.#byKey.values()) if (expiresAt > now) yield [key, value];
  }

  #remove(kept: Kept<T>): void {
    this.#byKey.delete(kept.key);
    this.#byAge.remove(kept);
  }
}
