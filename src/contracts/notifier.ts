import type { OutcomeRecord } from "./backend.js";

/** Something to be told about: the outcome of a job, or a new report of it. */
export type Topic = { readonly kind: "outcome" | "report"; readonly id: string };

/** Called when something may have happened. The outcome itself comes along where the driver had it at hand. */
export type Listener = (outcome?: OutcomeRecord) => void;

/** Ends a subscription. */
export type Unsubscribe = () => void;

/**
 * Tells at once what a reader would otherwise have to poll for. A notification is a hint: it may come without cause, and
 * after a reconnect the driver calls every listener, since it cannot know what was missed. When `subscribe` resolves,
 * whatever happens from then on is notified; so a caller subscribes first, then reads, and misses nothing.
 */
export interface Notifier {
  subscribe(topic: Topic, listener: Listener): Promise<Unsubscribe>;
}
