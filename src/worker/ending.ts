import type { Settlement, SettleStatus } from "../contracts/index.js";
import type { HandlerOutcome } from "../middleware/middleware.js";
import type { Before } from "../protocol.js";
import type { Concluder } from "./concluder.js";
import type { RunningJob } from "./running-job.js";
import type { Settling } from "./settler.js";
import type { Verdict } from "./verdict.js";

/** A verdict that is settled. */
export type Decided = Exclude<Verdict, { kind: "lost" }>;

/**
 * How one attempt ends: what is settled, and what is told of once it is. An object and not closures over the same, because
 * there is one for every job: closures took 450 bytes of the 3,000 that a small job allocated.
 */
export class Ending implements Settling {
  readonly settlement: Settlement;
  readonly job: RunningJob;
  readonly outcome: HandlerOutcome;
  /** Absent where the handler returned. */
  readonly verdict: Decided | undefined;
  readonly duration: number;
  readonly before: Before | undefined;
  readonly #concluder: Concluder;

  constructor(
    concluder: Concluder,
    job: RunningJob,
    settlement: Settlement,
    outcome: HandlerOutcome,
    verdict: Decided | undefined,
    duration: number,
    before: Before | undefined,
  ) {
    this.#concluder = concluder;
    this.job = job;
    this.settlement = settlement;
    this.outcome = outcome;
    this.verdict = verdict;
    this.duration = duration;
    this.before = before;
  }

  done(status: SettleStatus, error?: unknown): void {
    this.#concluder.settled(this, status, error);
  }
}
