import type { Broadcaster, Envelope, Unsubscribe } from "../contracts/index.js";
import { CancelledError } from "../job/errors.js";
import type { Executor } from "./executor.js";
import { heardJob } from "./taken-job.js";

/** How many broadcasts may wait for a slot; those that come on top are dropped, since nobody would hold them back. */
const MOST_WAITING = 1000;
const OVERRUN = `the broadcast was dropped, since ${MOST_WAITING} wait for a slot of this worker already: raise its concurrency`;

export interface HearingOptions {
  readonly broadcaster: Broadcaster;
  readonly queues: readonly string[];
  /** Its own, so that a broadcast takes no slot of a job under a lease and waits behind none. */
  readonly executor: Executor;
}

/** Takes in what is broadcast to a worker's queues, from when it is open until it is closed. */
export class Hearing {
  readonly #options: HearingOptions;
  #unsubscribe: Unsubscribe | undefined;

  constructor(options: HearingOptions) {
    this.#options = options;
  }

  async open(): Promise<void> {
    const { broadcaster, queues } = this.#options;
    this.#unsubscribe = await broadcaster.subscribe(queues, (jobs) => this.#hear(jobs));
  }

  close(): void {
    this.#unsubscribe?.();
  }

  #hear(jobs: readonly Envelope[]): void {
    const { executor } = this.#options;
    const heard = jobs.map(heardJob);
    const room = Math.max(0, MOST_WAITING - executor.waiting);
    executor.accept(heard.slice(0, room), false);
    for (const job of heard.slice(room)) executor.drop(job, new CancelledError(OVERRUN));
  }
}
