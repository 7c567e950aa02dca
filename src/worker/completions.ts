import type { Consumer, Settlement } from "../contracts/index.js";
import { validateResult } from "../job/arguments.js";
import { ConfigError, LeaseLostError } from "../job/errors.js";
import type { Route } from "../route.js";
import { isPromise } from "../settled.js";
import { inTurn } from "../transactions.js";
import type { LeaseKeeper } from "./lease-keeper.js";
import { type Patience, patiently } from "./patience.js";
import type { Records } from "./records.js";
import type { Completion, RunningJob } from "./running-job.js";

export interface CompletionsOptions extends Patience {
  readonly consumer: Consumer;
  readonly route: Route;
  readonly records: Records;
  readonly leases: LeaseKeeper;
  /** Called with the id of a job that was lost before it could be completed. */
  readonly onLost: (id: string) => void;
}

/** Completes jobs in transactions of the user's, and finds out what became of those. */
export class Completions {
  readonly #options: CompletionsOptions;

  constructor(options: CompletionsOptions) {
    this.#options = options;
  }

  /** Nothing is awaited before the write, so that a synchronous client's transaction can hold it. */
  async completeIn(job: RunningJob, transaction: object, result: unknown): Promise<void> {
    const { route, records } = this.#options;
    route.requireTransactions();
    const checked = validateResult(job.definition, result);
    const value = isPromise(checked) ? await checked : checked;
    assertCompletable(job);
    const outcome = job.keepsResult ? records.completed(job, value) : undefined;
    await this.#settle(job, { result: value, outcome }, transaction);
  }

  async #settle(job: RunningJob, completion: Completion, transaction: object): Promise<void> {
    const { consumer, route, leases, onLost } = this.#options;
    const earlier = job.completion;
    job.completion = completion;
    // The transaction locks the lease until its end. A renewal would wait for that, and those of other jobs behind it.
    leases.delete(job.claimed);
    const settlement: Settlement = { lease: job.claimed, kind: "complete" };
    const { outcome } = completion;
    const whole = route.atomicOutcomes && outcome !== undefined ? { ...settlement, outcome } : settlement;
    const [status] = await inTurn(transaction, () => consumer.settle([whole], transaction));
    if (status === "settled") return;
    job.completion = earlier;
    if (earlier !== undefined) throw new LeaseLostError("this job was completed or lost before: roll back");
    onLost(job.id);
    throw new LeaseLostError();
  }

  /**
   * Whether the job has left the broker: committed then, because nobody else could have it while the transaction held it.
   * A job that somebody else completed after a rollback has left as well, and is as completed.
   */
  async committed(job: RunningJob): Promise<boolean> {
    const { route } = this.#options;
    const [found] = await patiently(this.#options, () => route.requireInspector().find([job.id]));
    return found === undefined;
  }
}

function assertCompletable(job: RunningJob): void {
  if (job.settledFirst) {
    const why = job.broadcast ? "is a broadcast" : 'was settled before it ran (delivery: "at-most-once")';
    throw new ConfigError(`job ${job.id} of task "${job.task}" ${why}: there is nothing left to complete`);
  }
  if (job.concluded) throw job.abortReason ?? new LeaseLostError();
}
