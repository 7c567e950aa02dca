/**
 * An empty place for jobs that several processes share, made for one case and removed after it: a file, a schema, a key
 * prefix, a virtual host.
 *
 * @example
 * const place = { broker: "sqlite:/tmp/case-1/jobs.db" };
 */
export interface SharedPlace {
  /** The URL under which every process of the case opens it. */
  readonly broker: string;
  /** The URL of the place of outcomes, where the driver keeps none. */
  readonly backend?: string;
  /**
   * How long leases last, in ms. Default 1000. Smaller ones are faster; a worker that a busy machine keeps from running
   * for longer than that loses its jobs.
   */
  readonly lease?: number;
  /** Restarts the server, if there is one. All processes are dead and all connections closed when it is called. */
  readonly restart?: () => Promise<void>;
  /** Deletes the place. Called when all processes are dead, also after a failure. */
  readonly remove?: () => Promise<void>;
}
