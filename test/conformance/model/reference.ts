import type { CancelStatus, DeadReason, LeaseStatus, SettleStatus } from "../../../src/contracts/broker.js";
import type { QueuedState } from "../../../src/contracts/inspector.js";

/** A claim that was made, by its number: what a token stands for. */
export interface ModelLease {
  readonly id: string;
  readonly claim: number;
}

export interface ModelJob {
  readonly id: string;
  readonly queue: string;
  readonly priority: number;
  readonly sequence: number;
  readonly expiresAt: number;
  place: "queued" | "active" | "dead";
  dueAt: number;
  attempt: number;
  losses: number;
  /** Claims so far: also those that were given back. A job never claimed keeps the order of its publication. */
  claims: number;
  history: string | undefined;
  reason: DeadReason | undefined;
  cancel: boolean;
  claim: number;
  leaseUntil: number;
}

/**
 * What a broker should do, in the plainest words: one list of jobs, searched from end to end. It does not say in which
 * order jobs that were claimed before are claimed again, since drivers may differ in that; see `checkClaim`.
 */
export class Reference {
  now: number;
  jobs: ModelJob[] = [];
  readonly outcomes = new Map<string, string>();
  readonly paused = new Set<string>();
  #sequence = 0;
  #claims = 0;

  constructor(now: number) {
    this.now = now;
  }

  find(id: string): ModelJob | undefined {
    return this.jobs.find((job) => job.id === id);
  }

  publish(id: string, queue: string, priority: number, delay: number, expiresIn: number): "created" | "duplicate" {
    if (this.find(id) || this.outcomes.has(id)) return "duplicate";
    this.jobs.push({
      id,
      queue,
      priority,
      sequence: ++this.#sequence,
      expiresAt: this.now + expiresIn,
      place: "queued",
      dueAt: this.now + delay,
      attempt: 0,
      losses: 0,
      claims: 0,
      history: undefined,
      reason: undefined,
      cancel: false,
      claim: 0,
      leaseUntil: 0,
    });
    return "created";
  }

  /** The jobs that a claim may take, by queue and priority, in the order in which these come; each oldest first. */
  claimable(queues: readonly string[]): ModelJob[][] {
    const groups: ModelJob[][] = [];
    for (const queue of queues.filter((name) => !this.paused.has(name))) {
      for (let priority = 9; priority >= 0; priority--) {
        const group = this.jobs.filter(
          (job) => job.place === "queued" && job.dueAt <= this.now && job.queue === queue && job.priority === priority,
        );
        if (group.length > 0) groups.push(group.sort((a, b) => a.dueAt - b.dueAt || a.sequence - b.sequence));
      }
    }
    return groups;
  }

  claim(job: ModelJob, lease: number): ModelLease {
    job.place = "active";
    job.attempt++;
    job.claims++;
    job.claim = ++this.#claims;
    job.leaseUntil = this.now + lease;
    return { id: job.id, claim: job.claim };
  }

  held(lease: ModelLease): ModelJob | undefined {
    const job = this.find(lease.id);
    return job?.place === "active" && job.claim === lease.claim ? job : undefined;
  }

  complete(lease: ModelLease, outcome: string | undefined): SettleStatus {
    const job = this.held(lease);
    if (!job) return "lost";
    this.remove(job.id);
    if (outcome !== undefined) this.outcomes.set(job.id, outcome);
    return "settled";
  }

  retry(lease: ModelLease, delay: number, history: string): SettleStatus {
    const job = this.held(lease);
    if (!job) return "lost";
    this.#queue(job, delay);
    job.history = history;
    return "settled";
  }

  bury(lease: ModelLease, reason: DeadReason, history: string, outcome: string): SettleStatus {
    const job = this.held(lease);
    if (!job) return "lost";
    Object.assign(job, { place: "dead", reason, history, dueAt: this.now });
    this.outcomes.set(job.id, outcome);
    return "settled";
  }

  release(lease: ModelLease, delay: number): SettleStatus {
    const job = this.held(lease);
    if (!job) return "lost";
    this.#queue(job, delay);
    job.attempt--;
    return "settled";
  }

  extend(lease: ModelLease, time: number): LeaseStatus {
    const job = this.held(lease);
    if (!job) return "lost";
    job.leaseUntil = this.now + time;
    return job.cancel ? "cancel" : "held";
  }

  sweep(delay: number): number {
    const passed = this.jobs.filter((job) => job.place === "active" && job.leaseUntil <= this.now);
    for (const job of passed) {
      this.#queue(job, delay);
      job.losses++;
    }
    return passed.length;
  }

  cancel(id: string, outcome: string): CancelStatus {
    const job = this.find(id);
    if (!job || job.place === "dead") return "absent";
    if (job.place === "active") {
      job.cancel = true;
      return "requested";
    }
    this.remove(id);
    this.outcomes.set(id, outcome);
    return "cancelled";
  }

  resurrect(id: string): boolean {
    const job = this.find(id);
    if (job?.place !== "dead") return false;
    Object.assign(job, { attempt: 0, losses: 0, reason: undefined, cancel: false });
    this.outcomes.delete(id);
    this.#queue(job, 0);
    return true;
  }

  discard(id: string): boolean {
    if (this.find(id)?.place === "active") return false;
    return this.remove(id);
  }

  remove(id: string): boolean {
    const before = this.jobs.length;
    this.jobs = this.jobs.filter((job) => job.id !== id);
    return this.jobs.length < before;
  }

  state(job: ModelJob): QueuedState {
    if (job.place !== "queued") return job.place;
    if (job.dueAt <= this.now) return "waiting";
    return job.attempt === 0 ? "scheduled" : "retrying";
  }

  #queue(job: ModelJob, delay: number): void {
    job.place = "queued";
    job.dueAt = this.now + delay;
  }
}
