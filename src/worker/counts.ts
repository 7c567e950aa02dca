/** What a worker has done since it started. */
export interface WorkerCounts {
  completed: number;
  retried: number;
  dead: number;
  cancelled: number;
  released: number;
  /** Attempts whose lease had passed to somebody else. */
  lost: number;
  /** Broadcasts that failed here, or never ran. */
  failed: number;
}

export const NO_COUNTS: Readonly<WorkerCounts> = {
  completed: 0,
  retried: 0,
  dead: 0,
  cancelled: 0,
  released: 0,
  lost: 0,
  failed: 0,
};
