import type {
  ClaimedJob,
  ClaimRequest,
  ConsumeOptions,
  Consumer,
  Lease,
  LeaseStatus,
  Settlement,
  SettleStatus,
} from "../../contracts/broker.js";
import { UnsupportedError } from "../../job/errors.js";
import type { Store } from "./store.js";
import { WaitingClaim } from "./waiting.js";

export class MemoryConsumer implements Consumer {
  readonly #store: Store;
  readonly #options: ConsumeOptions;
  readonly #onClose: () => void;
  readonly #waiting = new Set<WaitingClaim>();
  #closed = false;

  constructor(store: Store, options: ConsumeOptions, onClose: () => void) {
    this.#store = store;
    this.#options = options;
    this.#onClose = onClose;
  }

  async claim(request: ClaimRequest): Promise<ClaimedJob[]> {
    if (this.#closed) return [];
    const jobs = this.#claimNow(request);
    if (jobs.length > 0 || request.wait <= 0 || request.signal?.aborted) return jobs;
    return new Promise((resolve) => this.#wait(request, resolve));
  }

  #claimNow({ queues, max }: ClaimRequest): ClaimedJob[] {
    return this.#store.claim(queues, max, this.#options, this.#options.lease);
  }

  #wait(request: ClaimRequest, resolve: (jobs: ClaimedJob[]) => void): void {
    const finish = (jobs: ClaimedJob[]) => {
      this.#store.removeWaiting(claim);
      this.#waiting.delete(claim);
      resolve(jobs);
    };
    const claim = new WaitingClaim(this.#store.clock, request, () => this.#claimNow(request), finish);
    this.#waiting.add(claim);
    this.#store.addWaiting(claim);
  }

  async settle(settlements: readonly Settlement[], transaction?: unknown): Promise<SettleStatus[]> {
    if (transaction !== undefined) throw new UnsupportedError("the memory driver has no transactions to settle in");
    const now = this.#store.now();
    const statuses: SettleStatus[] = [];
    for (const settlement of settlements) statuses.push(this.#settleOne(settlement, now));
    this.#store.wake();
    return statuses;
  }

  #settleOne(settlement: Settlement, now: number): SettleStatus {
    const store = this.#store;
    const job = store.held(settlement.lease.id, settlement.lease.token);
    if (!job) return "lost";
    switch (settlement.kind) {
      case "complete":
        store.remove(job);
        break;
      case "retry":
        job.history = settlement.history;
        store.putBack(job, now + settlement.delay, now);
        return "settled";
      case "dead":
        job.history = settlement.history;
        job.reason = settlement.reason;
        store.bury(job, now);
        break;
      case "release":
        job.history = settlement.history ?? job.history;
        store.giveBack(job, settlement.delay, now);
        return "settled";
    }
    if (settlement.outcome) store.outcomes.store(settlement.outcome, now);
    return "settled";
  }

  async extend(leases: readonly Lease[]): Promise<LeaseStatus[]> {
    const until = this.#store.now() + this.#options.lease;
    return leases.map(({ id, token }) => {
      const job = this.#store.held(id, token);
      if (!job) return "lost";
      job.leaseUntil = until;
      return job.cancelRequested ? "cancel" : "held";
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const claim of this.#waiting) claim.end([]);
    this.#onClose();
  }
}
