import type { ClaimedJob, ClaimRequest } from "../../contracts/broker.js";
import type { CancelTimer, Clock } from "../../contracts/clock.js";

/** A claim that found nothing and waits for a first job, until its time or its signal ends it. */
export class WaitingClaim {
  readonly #claim: () => ClaimedJob[];
  readonly #signal: AbortSignal | undefined;
  readonly #cancelTimer: CancelTimer;
  readonly #finish: (jobs: ClaimedJob[]) => void;
  readonly #giveUp = () => this.end([]);

  constructor(clock: Clock, request: ClaimRequest, claim: () => ClaimedJob[], finish: (jobs: ClaimedJob[]) => void) {
    this.#claim = claim;
    this.#finish = finish;
    this.#signal = request.signal;
    this.#signal?.addEventListener("abort", this.#giveUp, { once: true });
    this.#cancelTimer = clock.schedule(this.#giveUp, request.wait);
  }

  /** Claims again; ends the wait when there is something now. */
  tryAgain(): void {
    const jobs = this.#claim();
    if (jobs.length > 0) this.end(jobs);
  }

  end(jobs: ClaimedJob[]): void {
    this.#cancelTimer();
    this.#signal?.removeEventListener("abort", this.#giveUp);
    this.#finish(jobs);
  }
}
