import type { Coordinator, Entry, PutOptions } from "../../contracts/coordinator.js";
import type { Shared } from "./consumer.js";

export class MysqlCoordinator implements Coordinator {
  readonly #shared: Shared;

  constructor(shared: Shared) {
    this.#shared = shared;
  }

  get(key: string): Promise<Entry | undefined> {
    const { store, statements } = this.#shared;
    return store.read((session) => statements.entries.find(session, key));
  }

  put(key: string, value: Uint8Array, { ttl, ifVersion }: PutOptions = {}): Promise<boolean> {
    const { store, statements } = this.#shared;
    return store.write(async (session) => {
      if (ifVersion !== undefined) return statements.entries.putIf(session, key, value, ttl, ifVersion);
      await statements.entries.put(session, key, value, ttl);
      return true;
    });
  }

  remove(key: string): Promise<boolean> {
    const { store, statements } = this.#shared;
    return store.write((session) => statements.entries.delete(session, key));
  }

  list(prefix: string): Promise<Entry[]> {
    const { store, statements } = this.#shared;
    return store.read((session) => statements.entries.list(session, prefix));
  }

  increment(key: string, by: number, ttl?: number): Promise<number> {
    const { store, statements } = this.#shared;
    return store.write((session) => statements.entries.increment(session, key, by, ttl));
  }
}
