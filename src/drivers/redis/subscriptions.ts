import type { Logger } from "../../contracts/logger.js";
import type { Unsubscribe } from "../../contracts/notifier.js";
import type { Server } from "./server.js";

/** Hears what comes through a channel, or `undefined` when something may have been missed. */
export type Hear = (message: Buffer | undefined) => void;

/** A channel that somebody listens to. */
interface Channel {
  readonly listeners: Set<Hear>;
  /** Resolves when the server sends its messages. */
  open: Promise<void>;
}

/** Who listens to which channel, over the one connection that messages come through. */
export class Subscriptions {
  readonly #server: Server;
  readonly #logger: Logger;
  readonly #channels = new Map<string, Channel>();
  /** Channels that were asked for in this turn of the event loop, and go to the server together. */
  #asked: string[] = [];
  #asking: Promise<void> | undefined;

  constructor(server: Server, logger: Logger) {
    this.#server = server;
    this.#logger = logger;
    server.client.listen(
      (channel, message) => this.#deliver(channel, message),
      () => void this.#recover(),
    );
  }

  /** When it resolves, everything sent to `name` from then on is heard. */
  subscribe(name: string, hear: Hear): Promise<Unsubscribe> {
    return this.subscribeTo(this.#server.channel + name, hear);
  }

  /** The same for a channel by its whole name, such as one of somebody else's. */
  async subscribeTo(key: string, hear: Hear): Promise<Unsubscribe> {
    let channel = this.#channels.get(key);
    if (channel === undefined) {
      channel = { listeners: new Set(), open: this.#open(key) };
      this.#channels.set(key, channel);
    }
    const { listeners, open } = channel;
    listeners.add(hear);
    try {
      await open;
    } catch (error) {
      this.#leave(key, hear);
      throw error;
    }
    return () => this.#leave(key, hear);
  }

  #open(key: string): Promise<void> {
    this.#asked.push(key);
    this.#asking ??= new Promise<void>((resolve, reject) => {
      setImmediate(() => {
        const asked = this.#asked;
        this.#asked = [];
        this.#asking = undefined;
        this.#server.subscribe(asked).then(resolve, reject);
      });
    });
    return this.#asking;
  }

  #leave(key: string, hear: Hear): void {
    const channel = this.#channels.get(key);
    if (!channel?.listeners.delete(hear) || channel.listeners.size > 0) return;
    this.#channels.delete(key);
    if (this.#server.closed) return;
    this.#server.client.unsubscribe([key]).catch((error: unknown) => {
      // The connection is gone, and the subscription with it.
      this.#logger.debug({ error }, "a redis channel could not be left");
    });
  }

  #deliver(key: string, message: Buffer): void {
    if (this.#server.closed) return;
    for (const hear of [...(this.#channels.get(key)?.listeners ?? [])]) hear(message);
  }

  /** After a new connection: subscribes to everything again, and tells everybody that they may have missed something. */
  async #recover(): Promise<void> {
    const keys = [...this.#channels.keys()];
    if (keys.length === 0) return;
    try {
      await this.#server.client.subscribe(keys);
    } catch (error) {
      // It broke again; the next connection comes here too.
      this.#logger.debug({ error }, "redis channels could not be subscribed to again");
      return;
    }
    for (const { listeners } of [...this.#channels.values()]) for (const hear of [...listeners]) hear(undefined);
  }
}
