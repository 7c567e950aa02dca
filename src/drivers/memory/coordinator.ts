import type { Coordinator, Entry, PutOptions } from "../../contracts/coordinator.js";
import type { Store } from "./store.js";

export class MemoryCoordinator implements Coordinator {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  async get(key: string): Promise<Entry | undefined> {
    const entry = this.#store.entries.get(key, this.#store.now());
    return entry && { key, ...entry };
  }

  async put(key: string, value: Uint8Array, options: PutOptions = {}): Promise<boolean> {
    const now = this.#store.now();
    const version = this.#store.entries.get(key, now)?.version ?? 0;
    if (options.ifVersion !== undefined && options.ifVersion !== version) return false;
    // Versions are numbered over all keys, so that a key that is removed and written again never repeats one.
    this.#store.entries.set(key, { value, version: this.#store.nextSequence() }, options.ttl, now);
    return true;
  }

  async remove(key: string): Promise<boolean> {
    return this.#store.entries.delete(key, this.#store.now());
  }

  async list(prefix: string): Promise<Entry[]> {
    const found: Entry[] = [];
    for (const [key, entry] of this.#store.entries.live(this.#store.now())) {
      if (key.startsWith(prefix)) found.push({ key, ...entry });
    }
    return found.sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  async increment(key: string, by: number, ttl?: number): Promise<number> {
    const now = this.#store.now();
    const earlier = this.#store.counters.get(key, now);
    const value = (earlier ?? 0) + by;
    if (earlier !== undefined && ttl === undefined) this.#store.counters.update(key, value);
    else this.#store.counters.set(key, value, ttl, now);
    return value;
  }
}
