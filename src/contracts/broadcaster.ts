import type { Envelope, OutgoingJob } from "./broker.js";
import type { Unsubscribe } from "./notifier.js";

/** Called with jobs as they come. It never throws, and what it does with them takes no time of the driver's. */
export type BroadcastListener = (jobs: readonly Envelope[]) => void;

/**
 * Sends jobs to everybody who listens at this moment, and keeps nothing: each subscription hears a job at most once, and
 * one that is not there, or is reconnecting, misses it. There is no lease, no attempt and no outcome.
 *
 * Only the fields of an `Envelope` arrive. The core never sets `notBefore`, `expires` or `unique` on a broadcast job, and
 * a driver ignores them.
 */
export interface Broadcaster {
  /** Resolves when the server has taken the jobs, whether or not anybody listens. An empty batch does nothing. */
  publish(jobs: readonly OutgoingJob[]): Promise<void>;
  /**
   * Listens to some queues. When it resolves, every job published to them from then on is heard, over all connections to
   * the place and this one too, until `Unsubscribe` is called: after that call the listener hears nothing more. A driver
   * subscribes again by itself after a reconnect. Subscriptions end with their connection.
   */
  subscribe(queues: readonly string[], listener: BroadcastListener): Promise<Unsubscribe>;
}
