import type { Broadcaster, BroadcastListener } from "../../contracts/broadcaster.js";
import type { Envelope, OutgoingJob } from "../../contracts/broker.js";
import type { Unsubscribe } from "../../contracts/notifier.js";

interface Subscription {
  readonly queues: ReadonlySet<string>;
  readonly listener: BroadcastListener;
}

/** Who listens to which queues, over all connections to one store. */
export class Audience {
  readonly #subscriptions = new Set<Subscription>();

  add(subscription: Subscription): void {
    this.#subscriptions.add(subscription);
  }

  remove(subscription: Subscription): void {
    this.#subscriptions.delete(subscription);
  }

  tell(jobs: readonly Envelope[]): void {
    // Those of this moment: a listener may subscribe others, who come too late, or end the subscription of the next one.
    for (const subscription of [...this.#subscriptions]) {
      const heard = jobs.filter((job) => subscription.queues.has(job.queue));
      if (heard.length > 0 && this.#subscriptions.has(subscription)) subscription.listener(heard);
    }
  }
}

/** One connection's subscriptions, which end with it. */
export class MemoryBroadcaster implements Broadcaster {
  readonly #audience: Audience;
  readonly #open = new Set<Subscription>();

  constructor(audience: Audience) {
    this.#audience = audience;
  }

  async publish(jobs: readonly OutgoingJob[]): Promise<void> {
    this.#audience.tell(jobs.map(toEnvelope));
  }

  async subscribe(queues: readonly string[], listener: BroadcastListener): Promise<Unsubscribe> {
    const subscription: Subscription = { queues: new Set(queues), listener };
    this.#audience.add(subscription);
    this.#open.add(subscription);
    return () => {
      this.#audience.remove(subscription);
      this.#open.delete(subscription);
    };
  }

  close(): void {
    for (const subscription of this.#open) this.#audience.remove(subscription);
    this.#open.clear();
  }
}

function toEnvelope({ id, queue, priority, body, headers }: OutgoingJob): Envelope {
  return headers === undefined ? { id, queue, priority, body } : { id, queue, priority, body, headers };
}
