/** What one of several parts left, on its way to those that are there already. */
export interface Arrival {
  readonly group: string;
  /** Where it stands among the others; a part that arrives again replaces what it left. Absent: after all others. */
  readonly index?: number;
  readonly part: Uint8Array;
  /** Milliseconds to keep all parts after this one came. Absent: until forgotten. */
  readonly ttl?: number;
}

/**
 * Counts parts until all are there, in one atomic step each, for protocols that join so (Celery's chords). Present where
 * the driver keeps them.
 */
export interface Joiner {
  /** Says how many parts there will be. */
  expect(group: string, parts: number, ttl?: number): Promise<void>;
  /** Adds a part. Answers all parts, in order, if none is missing now. */
  arrive(arrival: Arrival): Promise<readonly Uint8Array[] | undefined>;
  /** Forgets a group whose parts have been used. Until then, a part that arrives again is told that all are there. */
  leave(group: string): Promise<void>;
}
