import type { OutcomeRecord } from "../../contracts/backend.js";
import { ExpiringMap } from "./expiring-map.js";
import type { Subscriptions } from "./notifier.js";

/** How jobs ended: at most `max` outcomes, of which the oldest make room. Tells whoever listens. */
export class Outcomes {
  readonly max: number;
  readonly #kept = new ExpiringMap<OutcomeRecord>();
  readonly #subscriptions: Subscriptions;

  constructor(max: number, subscriptions: Subscriptions) {
    this.max = max;
    this.#subscriptions = subscriptions;
  }

  get(id: string, now: number): OutcomeRecord | undefined {
    return this.#kept.get(id, now);
  }

  /** Keeps an outcome unless a later attempt's is here already. */
  store(outcome: OutcomeRecord, now: number): void {
    const isNewer = (earlier: OutcomeRecord) => earlier.attempt > outcome.attempt;
    if (!this.#kept.set(outcome.id, outcome, outcome.ttl, now, isNewer)) return;
    this.#kept.trim(this.max);
    this.#subscriptions.notify("outcome", outcome.id, outcome);
  }

  delete(id: string, now: number): boolean {
    return this.#kept.delete(id, now);
  }

  sweep(max: number, now: number): number {
    return this.#kept.sweep(max, now);
  }
}
