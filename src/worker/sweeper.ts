import type { Broker, CancelTimer, Clock, Random, ResultBackend } from "../contracts/index.js";
import { redelivery } from "./redelivery.js";

/** The most jobs or outcomes of one sweep, so that it never holds the server for long; a full one is repeated at once. */
const SWEEP_BATCH = 1000;

export interface SweeperOptions {
  readonly broker: Broker;
  readonly backend: ResultBackend | undefined;
  readonly clock: Clock;
  readonly random: Random;
  /** Milliseconds between sweeps. */
  readonly every: number;
  /** Milliseconds a lease lasts; recovered jobs come back spread over a tenth of it. */
  readonly lease: number;
  readonly onError: (error: unknown) => void;
}

/** Takes back jobs whose worker is gone, and drops outcomes whose time is over, now and then. */
export class Sweeper {
  readonly #options: SweeperOptions;
  #cancel: CancelTimer | undefined;
  #sweeping: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(options: SweeperOptions) {
    this.#options = options;
  }

  /** Sweeps at once, since what a predecessor left may be waiting, and then at intervals, out of step with other workers. */
  start(): void {
    this.#sweeping = this.#sweep().then(() => this.#schedule());
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#cancel?.();
    await this.#sweeping;
  }

  #schedule(): void {
    if (this.#closed) return;
    const { clock, random, every } = this.#options;
    this.#cancel = clock.schedule(() => this.start(), every * (0.8 + random() * 0.2));
  }

  async #sweep(): Promise<void> {
    const { broker, backend, lease, onError } = this.#options;
    try {
      await untilPartial(async () => (await broker.sweep({ max: SWEEP_BATCH, ...redelivery(lease) })).recovered);
      if (backend !== undefined) await untilPartial(() => backend.sweep(SWEEP_BATCH));
    } catch (error) {
      onError(error);
    }
  }
}

async function untilPartial(sweep: () => Promise<number>): Promise<void> {
  while ((await sweep()) >= SWEEP_BATCH);
}
