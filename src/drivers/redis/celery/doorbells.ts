import type { RedisClient } from "../client/client.js";
import type { Server } from "../server.js";

/**
 * Tells that a queue is no longer empty, without taking anything from it: on a connection of its own for each queue, the
 * last message is moved to where it is (`BLMOVE q q RIGHT RIGHT`), which waits while there is none. What kombu does, a
 * blocking pop, leaves a message in nobody's hands for a moment; a worker killed then loses it.
 */
export class Doorbells {
  readonly #server: Server;
  readonly #queues: readonly string[];
  readonly #ring: () => void;
  readonly #waiting = new Set<string>();
  readonly #connections = new Map<string, RedisClient>();
  #closed = false;

  constructor(server: Server, queues: readonly string[], ring: () => void) {
    this.#server = server;
    this.#queues = queues;
    this.#ring = ring;
  }

  /**
   * Rings once when any queue has a message, within so many ms. Half of the time that the server has to answer in is the
   * most: a connection that is silent for all of it counts as broken.
   */
  listen(ms: number): void {
    const wait = Math.min(ms, this.#server.timeout / 2);
    for (const queue of this.#queues) {
      if (this.#waiting.has(queue) || this.#closed) continue;
      this.#waiting.add(queue);
      void this.#await(queue, wait).then((rung) => {
        this.#waiting.delete(queue);
        if (rung) this.#ring();
      });
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    const open = [...this.#connections.values()];
    this.#connections.clear();
    await Promise.all(open.map((connection) => connection.close()));
  }

  /** A connection that breaks rings no more until it is back: who waits looks by itself now and then. */
  async #await(queue: string, ms: number): Promise<boolean> {
    let connection = this.#connections.get(queue);
    if (connection === undefined) {
      connection = this.#server.client.another();
      this.#connections.set(queue, connection);
    }
    try {
      await connection.whenReady(AbortSignal.timeout(Math.max(1, Math.ceil(ms))));
      if (this.#closed) return false;
      const moved = await connection.send("BLMOVE", [queue, queue, "RIGHT", "RIGHT", (ms / 1000).toFixed(3)]);
      return moved !== null;
    } catch {
      return false;
    }
  }
}
