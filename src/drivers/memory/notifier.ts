import type { OutcomeRecord } from "../../contracts/backend.js";
import type { Listener, Notifier, Topic, Unsubscribe } from "../../contracts/notifier.js";

/** Who listens to what, over all connections to one store. */
export class Subscriptions {
  readonly #listeners = new Map<string, Set<Listener>>();

  add(topic: Topic, listener: Listener): void {
    const key = keyOf(topic.kind, topic.id);
    const listeners = this.#listeners.get(key) ?? new Set();
    this.#listeners.set(key, listeners.add(listener));
  }

  remove(topic: Topic, listener: Listener): void {
    const key = keyOf(topic.kind, topic.id);
    const listeners = this.#listeners.get(key);
    listeners?.delete(listener);
    if (listeners?.size === 0) this.#listeners.delete(key);
  }

  notify(kind: Topic["kind"], id: string, outcome?: OutcomeRecord): void {
    // Most outcomes are kept while nobody waits for any: then there is no key to build.
    if (this.#listeners.size === 0) return;
    for (const listener of this.#listeners.get(keyOf(kind, id)) ?? []) listener(outcome);
  }
}

function keyOf(kind: Topic["kind"], id: string): string {
  return `${kind}:${id}`;
}

/** One connection's subscriptions, which end with it. */
export class MemoryNotifier implements Notifier {
  readonly #subscriptions: Subscriptions;
  readonly #open = new Set<Unsubscribe>();

  constructor(subscriptions: Subscriptions) {
    this.#subscriptions = subscriptions;
  }

  async subscribe(topic: Topic, listener: Listener): Promise<Unsubscribe> {
    // A function of its own, so that one listener given twice is two subscriptions.
    const own: Listener = (outcome) => listener(outcome);
    this.#subscriptions.add(topic, own);
    const unsubscribe = () => {
      this.#subscriptions.remove(topic, own);
      this.#open.delete(unsubscribe);
    };
    this.#open.add(unsubscribe);
    return unsubscribe;
  }

  close(): void {
    for (const unsubscribe of this.#open) unsubscribe();
  }
}
