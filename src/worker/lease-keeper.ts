import type { CancelTimer, Clock, Consumer, Lease } from "../contracts/index.js";

export interface LeaseKeeperOptions {
  readonly consumer: Consumer;
  readonly clock: Clock;
  /** Milliseconds between renewals. */
  readonly heartbeat: number;
  readonly onLost: (id: string) => void;
  readonly onCancel: (id: string) => void;
  readonly onError: (error: unknown) => void;
}

/** Renews all leases of a worker together, and tells of those that were lost or whose job is to be cancelled. */
export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions;
  readonly #held = new Map<string, Lease>();
  #cancel: CancelTimer | undefined;
  #closed = false;

  constructor(options: LeaseKeeperOptions) {
    this.#options = options;
  }

  start(): void {
    const beat = (): void => {
      void this.#renew([...this.#held.values()]).then(() => {
        if (!this.#closed) this.start();
      });
    };
    // This timer keeps the process alive: a worker that waits for work is not done.
    this.#cancel = this.#options.clock.schedule(beat, this.#options.heartbeat, true);
  }

  add(lease: Lease): void {
    this.#held.set(lease.id, lease);
  }

  /** Whether the lease is neither settled nor known to be lost. */
  holds(lease: Lease): boolean {
    return this.#held.get(lease.id) === lease;
  }

  delete(lease: Lease): void {
    if (this.#held.get(lease.id) === lease) this.#held.delete(lease.id);
  }

  /** Renews one lease now, and answers whether it is still held. */
  async renew(lease: Lease): Promise<boolean> {
    await this.#renew([lease]);
    return this.holds(lease);
  }

  close(): void {
    this.#closed = true;
    this.#cancel?.();
  }

  async #renew(leases: readonly Lease[]): Promise<void> {
    if (leases.length === 0) return;
    const { consumer, onLost, onCancel, onError } = this.#options;
    try {
      const statuses = await consumer.extend(leases);
      for (const [index, lease] of leases.entries()) {
        // Settled in the meantime: then the lease is gone because we let it go.
        if (this.#held.get(lease.id) !== lease) continue;
        if (statuses[index] === "lost") {
          this.#held.delete(lease.id);
          onLost(lease.id);
        } else if (statuses[index] === "cancel") onCancel(lease.id);
      }
    } catch (error) {
      onError(error);
    }
  }
}
