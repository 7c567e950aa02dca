import type { Coordinator, Entry, PutOptions } from "../../contracts/coordinator.js";
import { increment, listEntries, putEntry, removeEntry } from "./scripts/coordination.js";
import type { Server } from "./server.js";

const VERSION_BYTES = 8;

export class RedisCoordinator implements Coordinator {
  readonly #server: Server;

  constructor(server: Server) {
    this.#server = server;
  }

  async get(key: string): Promise<Entry | undefined> {
    const value = await this.#server.command("GET", `${this.#server.prefix}entry:${key}`);
    return Buffer.isBuffer(value) ? toEntry(key, value) : undefined;
  }

  async put(key: string, value: Uint8Array, { ttl, ifVersion }: PutOptions = {}): Promise<boolean> {
    const args = [key, value, ttl === undefined ? 0 : Math.max(1, Math.ceil(ttl)), ifVersion ?? -1];
    return (await this.#server.run(putEntry, args)) === 1;
  }

  async remove(key: string): Promise<boolean> {
    return (await this.#server.run(removeEntry, [key])) === 1;
  }

  async list(prefix: string): Promise<Entry[]> {
    const answer = await this.#server.ask(listEntries, [prefix]);
    const entries: Entry[] = [];
    if (!Array.isArray(answer)) return entries;
    for (let at = 0; at < answer.length; at += 2) {
      const value = answer[at + 1];
      if (Buffer.isBuffer(value)) entries.push(toEntry(String(answer[at]), value));
    }
    return entries;
  }

  async increment(key: string, by: number, ttl?: number): Promise<number> {
    const args = [key, by, ttl === undefined ? 0 : Math.max(1, Math.ceil(ttl))];
    return Number(await this.#server.run(increment, args));
  }
}

function toEntry(key: string, stored: Buffer): Entry {
  return { key, version: Number(stored.readBigUInt64BE(0)), value: stored.subarray(VERSION_BYTES) };
}
