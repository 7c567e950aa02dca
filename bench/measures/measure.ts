import type { Arena } from "../arena.js";

/** What is measured: the unit, and whether more of it is better. */
export const MEASURES = {
  enqueue: { unit: "jobs/s", better: "more" },
  "enqueue-50k": { unit: "s", better: "less" },
  "enqueue-bulk": { unit: "jobs/s", better: "more" },
  process: { unit: "jobs/s", better: "more" },
  "process-with-results": { unit: "jobs/s", better: "more" },
  "whole-way": { unit: "jobs/s", better: "more" },
  "whole-way-bulk": { unit: "jobs/s", better: "more" },
  "whole-way-steady": { unit: "jobs/s", better: "more" },
  "whole-way-bulk-with-results": { unit: "jobs/s", better: "more" },
  "pickup-p50": { unit: "ms", better: "less" },
  "pickup-p99": { unit: "ms", better: "less" },
  "result-p50": { unit: "ms", better: "less" },
  "result-p99": { unit: "ms", better: "less" },
  "bytes-per-job": { unit: "bytes", better: "less" },
  rss: { unit: "MB", better: "less" },
  "rss-with-results": { unit: "MB", better: "less" },
  "process-2-workers": { unit: "jobs/s", better: "more" },
  "process-4-workers": { unit: "jobs/s", better: "more" },
  "enqueue-100b": { unit: "jobs/s", better: "more" },
  "process-100b": { unit: "jobs/s", better: "more" },
  "enqueue-10kb": { unit: "jobs/s", better: "more" },
  "process-10kb": { unit: "jobs/s", better: "more" },
  "enqueue-500kb": { unit: "jobs/s", better: "more" },
  "process-500kb": { unit: "jobs/s", better: "more" },
  "process-of-1m": { unit: "jobs/s", better: "more" },
  "process-of-1m-delayed": { unit: "jobs/s", better: "more" },
  "claim-p50-first-minute": { unit: "ms", better: "less" },
  "claim-p50-last-minute": { unit: "ms", better: "less" },
  "claim-p99-first-minute": { unit: "ms", better: "less" },
  "claim-p99-last-minute": { unit: "ms", better: "less" },
  "claim-of-newcomer": { unit: "ms", better: "less" },
  "rows-per-job": { unit: "rows", better: "less" },
  "wal-per-job": { unit: "bytes", better: "less" },
  "commits-per-job": { unit: "commits", better: "less" },
} as const satisfies Record<string, { readonly unit: string; readonly better: "more" | "less" }>;

export type MeasureName = keyof typeof MEASURES;

export type Figures = Partial<Record<MeasureName, number>>;

/** One run with one contestant, which gives one or more figures. */
export interface Trial {
  /** For `--measure` and the progress line. */
  readonly name: string;
  readonly keepResults: boolean;
  /** It differs from another trial in keeping results only. Contestants that have none to keep sit it out. */
  readonly aboutResults: boolean;
  /** Repeated with other settings of ours. */
  readonly ofVariants: boolean;
  /** Peers sit it out. */
  readonly oursOnly?: true;
  /** How often it is run. Default: as all. */
  readonly rounds?: number;
  /** `seconds`: how long, where it is the time that is given. */
  run(arena: Arena, jobs: number, seconds: number): Promise<Figures>;
}
