import type { ClaimedJob, Clock, Consumer, Random } from "../contracts/index.js";
import { isPromise, type MaybePromise } from "../settled.js";
import { Pause } from "./pause.js";
import type { QueueOrder } from "./queue-order.js";

/** How long one claim waits for work, in ms, before the next one asks again: a bound on any notification lost. */
const CLAIM_WAIT = 5000;

export interface ClaimerOptions {
  readonly consumer: Consumer;
  readonly clock: Clock;
  readonly random: Random;
  readonly order: QueueOrder;
  /** How many more jobs the worker can take now. */
  readonly room: () => number;
  /**
   * What it answers with is waited for before more is claimed.
   *
   * @param more - As many came as were asked for.
   */
  readonly accept: (jobs: readonly ClaimedJob[], more: boolean) => MaybePromise<void>;
  readonly onError: (error: unknown, delay: number) => void;
}

/**
 * The one loop of a worker that fetches jobs, over all its queues. It asks for as many as there is room for, so batches
 * grow with the load, and goes on after every failure, with growing pauses.
 */
export class Claimer {
  readonly #options: ClaimerOptions;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  #wake: (() => void) | undefined;

  constructor(options: ClaimerOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running = this.#run(CLAIM_WAIT, () => this.#stopping.signal.aborted);
  }

  /** Claims until a claim finds nothing while the worker has nothing in hand. */
  async runUntilEmpty(idle: () => boolean): Promise<void> {
    let empty = false;
    const done = (): boolean => this.#stopping.signal.aborted || (empty && idle());
    this.#running = this.#run(0, done, (found) => {
      empty = found === 0;
    });
    await this.#running;
  }

  /** Says that there may be room again. */
  wake(): void {
    this.#wake?.();
    this.#wake = undefined;
  }

  /** Ends the loop. What a claim under way still brings is accepted. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.wake();
    await this.#running;
  }

  async #run(wait: number, done: () => boolean, found?: (count: number) => void): Promise<void> {
    const { consumer, order, room, accept, onError, clock, random } = this.#options;
    const { signal } = this.#stopping;
    const pause = new Pause(clock, random);
    while (!done()) {
      const max = room();
      if (max <= 0) {
        await this.#woken();
        continue;
      }
      try {
        const jobs = await consumer.claim({ queues: order(), max, wait, signal });
        pause.reset();
        const accepted = accept(jobs, jobs.length === max);
        if (isPromise(accepted)) await accepted;
        found?.(jobs.length);
        if (jobs.length === 0 && wait === 0 && !done()) await this.#woken();
      } catch (error) {
        onError(error, pause.next);
        await pause.wait(signal);
      }
    }
  }

  /** The turn of the event loop after it was woken: slots that free up together are then filled by one claim. */
  #woken(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = () => setImmediate(resolve);
    });
  }
}
