import type { Coordinator, Entry, PutOptions } from "../../contracts/coordinator.js";
import type { Shared } from "./broker.js";

export class SqliteCoordinator implements Coordinator {
  readonly #shared: Shared;

  constructor(shared: Shared) {
    this.#shared = shared;
  }

  async get(key: string): Promise<Entry | undefined> {
    const { store, statements } = this.#shared;
    return store.read(() => statements.entries.find(key, store.now()));
  }

  async put(key: string, value: Uint8Array, { ttl, ifVersion }: PutOptions = {}): Promise<boolean> {
    const { store, statements } = this.#shared;
    return store.write("durable", () => {
      const now = store.now();
      if (ifVersion !== undefined && ifVersion !== (statements.entries.find(key, now)?.version ?? 0)) return false;
      // Versions are numbered over all keys, so that a key that is removed and written again never repeats one.
      const version = statements.sequences.take("entry", 1);
      statements.entries.put({ key, value, version }, ttl === undefined ? null : Math.ceil(now + ttl));
      return true;
    });
  }

  async remove(key: string): Promise<boolean> {
    const { store, statements } = this.#shared;
    return store.write("durable", () => statements.entries.delete(key, store.now()));
  }

  async list(prefix: string): Promise<Entry[]> {
    const { store, statements } = this.#shared;
    return store.read(() => statements.entries.list(prefix, store.now()));
  }

  async increment(key: string, by: number, ttl?: number): Promise<number> {
    const { store, statements } = this.#shared;
    return store.write("durable", () => {
      const now = store.now();
      return statements.entries.increment(key, by, ttl === undefined ? undefined : Math.ceil(now + ttl), now);
    });
  }
}
