/** A shared value and the version to name when replacing it. */
export interface Entry {
  readonly key: string;
  readonly value: Uint8Array;
  /** Grows with each write of this key; 0 never occurs. */
  readonly version: number;
}

/** On which condition, and for how long, to write. */
export interface PutOptions {
  /** Milliseconds to keep it. Absent: until removed. */
  readonly ttl?: number;
  /** Write only if this is the current version; 0 means only if there is none. Absent: always. */
  readonly ifVersion?: number;
}

/**
 * Small shared state with atomic changes: the worker registry now; locks, limits, schedules and workflow joins stand on
 * the same few operations.
 */
export interface Coordinator {
  /** A live entry. */
  get(key: string): Promise<Entry | undefined>;
  /** Answers whether it was written, which it is not when `ifVersion` no longer holds. */
  put(key: string, value: Uint8Array, options?: PutOptions): Promise<boolean>;
  /** Answers whether it was there. */
  remove(key: string): Promise<boolean>;
  /** All live entries whose key starts with `prefix`, by key. */
  list(prefix: string): Promise<Entry[]>;
  /** Adds to a counter that starts at 0, and answers its new value. Counters and entries share no keys. */
  increment(key: string, by: number, ttl?: number): Promise<number>;
}
