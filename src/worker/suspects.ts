import type { CancelTimer, ClaimedJob, Clock, Random } from "../contracts/index.js";
import type { LeaseKeeper } from "./lease-keeper.js";
import { redelivery } from "./redelivery.js";

/** How long a worker claims nothing more after it took a suspect, unless that ends before, in ms. */
const ISOLATION = 1000;

export interface SuspectsOptions {
  readonly poisonLimit: number;
  /** How long leases last, in ms. */
  readonly lease: number;
  /** Without it nothing can be given back for later: suspects then run together. */
  readonly canDelay: boolean;
  readonly leases: LeaseKeeper;
  readonly clock: Clock;
  readonly random: Random;
  /** Gives a job back uncounted, due again after `delay` ms; calls `over` when that is done. */
  readonly giveBack: (job: ClaimedJob, delay: number, over: () => void) => void;
  /** Called when the worker may start, or claim, again. */
  readonly onFree: () => void;
}

/**
 * Keeps jobs apart that one more lost lease would make poison: each may be what kills workers, or have been beside one that
 * does. A worker holds one suspect at a time and gives the others back. It starts it only when the broker has them, and
 * claims nothing for a moment after, so that what it kills holds no other suspect's last lease.
 *
 * Without this, of 100 jobs of 20 ms beside one that kills its process, 8 went to the dead letters with it.
 */
export class Suspects {
  readonly #options: SuspectsOptions;
  #held: ClaimedJob | undefined;
  #givingBack = 0;
  #isolation: CancelTimer | undefined;

  constructor(options: SuspectsOptions) {
    this.#options = options;
  }

  /** Whether anything may start now. */
  get mayStart(): boolean {
    return this.#givingBack === 0;
  }

  /** Whether the worker may claim more. */
  get mayClaim(): boolean {
    return this.#givingBack === 0 && this.#isolation === undefined;
  }

  /** Answers whether the job is to be kept. A suspect beside another one is given back. */
  admits(job: ClaimedJob): boolean {
    const { poisonLimit, leases, canDelay } = this.#options;
    if (job.losses === 0 || job.losses !== poisonLimit - 1 || !canDelay) return true;
    if (this.#held === undefined || !leases.holds(this.#held)) {
      this.#isolate(job);
      return true;
    }
    this.#giveBack(job);
    return false;
  }

  /** The job's handler has ended, or it does not run at all. */
  ended(job: ClaimedJob): void {
    if (job === this.#held) this.#endIsolation();
  }

  close(): void {
    this.#isolation?.();
  }

  #isolate(job: ClaimedJob): void {
    this.#held = job;
    this.#isolation?.();
    this.#isolation = this.#options.clock.schedule(() => this.#endIsolation(), ISOLATION);
  }

  #endIsolation(): void {
    if (this.#isolation === undefined) return;
    this.#isolation();
    this.#isolation = undefined;
    this.#options.onFree();
  }

  #giveBack(job: ClaimedJob): void {
    const { giveBack, lease, random, onFree } = this.#options;
    const { delay, jitter } = redelivery(lease);
    this.#givingBack += 1;
    giveBack(job, delay + random() * jitter, () => {
      this.#givingBack -= 1;
      if (this.#givingBack === 0) onFree();
    });
  }
}
