import { Batcher } from "../batch.js";
import type { Report, ResultBackend } from "../contracts/index.js";
import type { Codec } from "../job/codec/index.js";
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
  readonly #codec: Codec;
  readonly #batcher: Batcher<Reporting>;

  constructor(backend: ResultBackend, codec: Codec) {
    this.#backend = backend;
    this.#codec = codec;
    this.#batcher = new Batcher((items) => this.#flush(items), REPORT_BATCH);
  }

  report(job: RunningJob, told: { readonly progress?: unknown; readonly line?: string }): Promise<void> {
    const report: Report = {
      id: job.id,
      ttl: job.resultTtl ?? DEFAULT_TTL,
      ...("progress" in told && { progress: this.#codec.encode([told.progress], ["progress"]) }),
      ...(told.line !== undefined && { log: [told.line] }),
    };
    return new Promise((resolve, reject) => this.#batcher.add({ report, resolve, reject }));
  }

  idle(): Promise<void> {
    return this.#batcher.idle();
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
