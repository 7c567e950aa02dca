import type { Listener, Notifier, Topic, Unsubscribe } from "../../contracts/notifier.js";
import { decodeId } from "../../job/id-bytes.js";
import type { Channels } from "./channels.js";

const KINDS: Readonly<Record<string, Topic["kind"]>> = { o: "outcome", r: "report" };

/** All news comes through one channel, as ids: a channel for each job that somebody waits for would cost a statement each. */
export class PostgresNotifier implements Notifier {
  readonly #channels: Channels;
  readonly #listeners: Readonly<Record<Topic["kind"], Map<string, Set<Listener>>>> = {
    outcome: new Map(),
    report: new Map(),
  };
  /** Stays once somebody listened: who waits for one job soon waits for the next. */
  #subscribed: Promise<unknown> | undefined;

  constructor(channels: Channels) {
    this.#channels = channels;
  }

  async subscribe({ kind, id }: Topic, listener: Listener): Promise<Unsubscribe> {
    const topics = this.#listeners[kind];
    const listeners = topics.get(id) ?? new Set();
    topics.set(id, listeners.add(listener));
    const unsubscribe = (): void => {
      if (listeners.delete(listener) && listeners.size === 0) topics.delete(id);
    };
    try {
      await this.#listen();
    } catch (error) {
      unsubscribe();
      throw error;
    }
    return unsubscribe;
  }

  #listen(): Promise<unknown> {
    this.#subscribed ??= this.#channels
      .subscribe("news", (message) => this.#hear(message))
      .catch((error: unknown) => {
        this.#subscribed = undefined;
        throw error;
      });
    return this.#subscribed;
  }

  #hear(message: string | undefined): void {
    if (message === undefined) {
      for (const topics of Object.values(this.#listeners)) for (const id of [...topics.keys()]) tell(topics.get(id));
      return;
    }
    const kind = KINDS[message.slice(0, 1)];
    const topics = kind && this.#listeners[kind];
    if (topics === undefined || topics.size === 0) return;
    for (const hex of message.slice(1).split(",")) tell(topics.get(decodeId(Buffer.from(hex, "hex"))));
  }
}

/** A copy: who is told often stops listening. */
function tell(listeners: ReadonlySet<Listener> | undefined): void {
  for (const listener of [...(listeners ?? [])]) listener();
}
