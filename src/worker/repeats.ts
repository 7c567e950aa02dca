import type { ClaimedJob, Logger } from "../contracts/index.js";
import type { Route } from "../route.js";
import type { LeaseKeeper } from "./lease-keeper.js";
import type { Settler } from "./settler.js";

export interface RepeatsOptions {
  readonly route: Route;
  readonly settler: Settler;
  readonly leases: LeaseKeeper;
  readonly logger: Logger;
}

/**
 * Finds jobs that are here once more although they have completed: their worker died when the outcome was stored and the job
 * not settled yet, or a retry was sent and its predecessor not. Only later attempts are looked up, all of a claim in one read;
 * first ones cost nothing.
 *
 * Where ids can be used again while an outcome is kept, that outcome may be of another job, so nothing is looked up: an id of
 * the caller's own is, with a broker that finds jobs by id and a backend apart from it.
 */
export class Repeats {
  readonly #options: RepeatsOptions;
  readonly #canTell: boolean;

  constructor(options: RepeatsOptions) {
    this.#options = options;
    const { protocol, at } = options.route;
    this.#canTell = protocol.name === "taskwright" && !at.driver.capabilities.idempotentIds;
  }

  /** Whether these are to be looked up. */
  suspects(jobs: readonly ClaimedJob[]): boolean {
    return this.#canTell && this.#options.route.backend !== undefined && jobs.some(isLater);
  }

  /** Settles those that have completed, and answers the others. Where the backend does not answer, all of them run. */
  async without(jobs: readonly ClaimedJob[]): Promise<readonly ClaimedJob[]> {
    const done = await this.#completed(jobs.filter(isLater).map(({ id }) => id));
    return jobs.filter((job) => {
      if (!done.has(job.id)) return true;
      this.#settle(job);
      return false;
    });
  }

  async #completed(ids: readonly string[]): Promise<Set<string>> {
    const { route, logger } = this.#options;
    try {
      const outcomes = (await route.backend?.read(ids)) ?? [];
      return new Set(outcomes.flatMap((outcome) => (outcome?.state === "completed" ? [outcome.id] : [])));
    } catch (error) {
      logger.debug({ err: error }, "whether jobs had completed before could not be read; they run again");
      return new Set();
    }
  }

  #settle(job: ClaimedJob): void {
    const { settler, leases, logger } = this.#options;
    logger.debug(
      { job: job.id, queue: job.queue },
      "a job came once more after it had completed; it does not run again",
    );
    settler.settle({ settlement: { lease: job, kind: "complete" }, done: () => leases.delete(job) });
  }
}

/** A lost job has had an attempt, and so has each copy that was sent in its place. */
function isLater({ attempt }: ClaimedJob): boolean {
  return attempt > 1;
}
