import type { CancelTimer, Clock } from "../../contracts/clock.js";
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

/** How often, in ms, the server has to give a sign of life on the connection that listens: silence alone says nothing. */
const PROBE = 10_000;

/** Who listens to which channel, over the one connection that messages come through. */
export class Subscriptions {
  readonly #server: Server;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #channels = new Map<string, Channel>();
  /** Channels that were asked for or left in this turn of the event loop, and go to the server together. */
  #asked = new Set<string>();
  #asking: Promise<void> | undefined;
  #left = new Set<string>();
  #cancelProbe: CancelTimer | undefined;

  constructor(server: Server, clock: Clock, logger: Logger) {
    this.#server = server;
    this.#clock = clock;
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
      this.#probeLater();
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
    this.#asked.add(key);
    this.#asking ??= new Promise<void>((resolve, reject) => {
      setImmediate(() => {
        const asked = this.#asked;
        this.#asked = new Set();
        this.#asking = undefined;
        this.#ask(asked).then(resolve, reject);
      });
    });
    return this.#asking;
  }

  async #ask(asked: ReadonlySet<string>): Promise<void> {
    const wanted = [...asked].filter((key) => this.#channels.has(key));
    if (wanted.length === 0) return;
    await this.#server.subscribe(wanted);
    // Left while the connection was being opened, when there was nothing to leave yet.
    for (const key of wanted) if (!this.#channels.has(key)) this.#unsubscribe(key);
  }

  #leave(key: string, hear: Hear): void {
    const channel = this.#channels.get(key);
    if (!channel?.listeners.delete(hear) || channel.listeners.size > 0) return;
    this.#channels.delete(key);
    this.#unsubscribe(key);
  }

  #unsubscribe(key: string): void {
    if (this.#left.size === 0) setImmediate(() => void this.#sendLeft());
    this.#left.add(key);
  }

  async #sendLeft(): Promise<void> {
    const left = [...this.#left].filter((key) => !this.#channels.has(key));
    this.#left = new Set();
    if (this.#server.closed || left.length === 0) return;
    await this.#server.client.unsubscribe(left).catch((error: unknown) => {
      // The connection is gone, and the subscriptions with it.
      this.#logger.debug({ error }, "redis channels could not be left");
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
      await this.#server.subscribe(keys);
    } catch (error) {
      // It broke again; the next connection comes here too.
      this.#logger.debug({ error }, "redis channels could not be subscribed to again");
      return;
    }
    for (const { listeners } of [...this.#channels.values()]) for (const hear of [...listeners]) hear(undefined);
  }

  /** A server that is frozen, or a network that swallows everything, leaves a connection that looks well and brings nothing. */
  #probeLater(): void {
    this.#cancelProbe ??= this.#clock.schedule(() => {
      this.#cancelProbe = undefined;
      if (this.#server.closed || this.#channels.size === 0) return;
      this.#server
        .probe()
        .catch((error: unknown) => this.#logger.debug({ error }, "redis gave no sign of life; connecting again"))
        .finally(() => this.#probeLater());
    }, PROBE);
  }
}
