import { Batcher } from "../batch.js";
import type { Report, ResultBackend } from "../contracts/index.js";
import type { Codec } from "../job/codec/index.js";
import { fits, type Taker, tooLong } from "../job/size.js";
import type { RunningJob } from "./running-job.js";

/** The most reports of one call. */
const REPORT_BATCH = 500;

/** Kept this long where the job's outcome is kept for ever, in ms: one day. */
const DEFAULT_TTL = 86_400_000;

interface Reporting {
  readonly report: Report;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Sends what running jobs tell about themselves, in batches. */
export class Reporter {
  readonly #backend: ResultBackend;
  readonly #driver: Taker;
  readonly #codec: Codec;
  readonly #batcher: Batcher<Reporting>;

  constructor(backend: ResultBackend, driver: Taker, codec: Codec) {
    this.#backend = backend;
    this.#driver = driver;
    this.#codec = codec;
    this.#batcher = new Batcher((items) => this.#flush(items), REPORT_BATCH);
  }

  /** Rejects with ConfigError what cannot be sent, or is longer than the backend takes. */
  async report(job: RunningJob, told: { readonly progress?: unknown; readonly line?: string }): Promise<void> {
    const report: Report = {
      id: job.id,
      ttl: job.resultTtl ?? DEFAULT_TTL,
      ...("progress" in told && { progress: this.#codec.encode([told.progress], ["progress"]) }),
      ...(told.line !== undefined && { log: [told.line] }),
    };
    this.#requireFit(report.progress?.length ?? 0, () => `progress of task "${job.task}"`);
    this.#requireFit(Buffer.byteLength(told.line ?? ""), () => `a line of the log of task "${job.task}"`);
    return new Promise((resolve, reject) => this.#batcher.add({ report, resolve, reject }));
  }

  idle(): Promise<void> {
    return this.#batcher.idle();
  }

  #requireFit(bytes: number, what: () => string): void {
    if (!fits(bytes, this.#driver)) throw tooLong(what(), bytes, this.#driver);
  }

  async #flush(items: Reporting[]): Promise<void> {
    try {
      await this.#backend.report(items.map((item) => item.report));
      for (const item of items) item.resolve();
    } catch (error) {
      for (const item of items) item.reject(error);
    }
  }
}
