import type { Listener, Notifier, Topic, Unsubscribe } from "../../contracts/notifier.js";
import { decodeOutcome } from "./outcome.js";
import type { Subscriptions } from "./subscriptions.js";

/** One channel a topic: the server forgets it with the connection, so nothing is left behind by those who are gone. */
export class RedisNotifier implements Notifier {
  readonly #subscriptions: Subscriptions;

  constructor(subscriptions: Subscriptions) {
    this.#subscriptions = subscriptions;
  }

  subscribe({ kind, id }: Topic, listener: Listener): Promise<Unsubscribe> {
    return this.#subscriptions.subscribe(`${kind}:${id}`, (message) => {
      listener(kind === "outcome" ? decodeOutcome(id, message) : undefined);
    });
  }
}
