import type { Clock } from "../contracts/clock.js";
import type { Driver } from "../contracts/driver.js";

/** A transaction of the user's, open on the user's own connection to the place. */
export interface OpenTransaction {
  /** What `publish` and `settle` take as their `transaction`. */
  readonly handle: unknown;
  commit(): Promise<void>;
  rollback(): Promise<void>;
}

/**
 * An empty place for jobs, made for one case and removed after it: a file, a schema, a key prefix, a vhost.
 *
 * @example
 * import { memory } from "taskwright/drivers/memory";
 * import { FakeClock } from "taskwright/testing";
 *
 * const clock = new FakeClock();
 * const place = { driver: memory(), clock, advance: (ms: number) => clock.advance(ms) };
 */
export interface Place {
  /** Connected to several times: each connection sees the same jobs. */
  readonly driver: Driver;
  /** What connections are given as their clock. */
  readonly clock: Clock;
  /** Lets time pass: a fake clock is moved; a driver that trusts its server's clock really has to wait. */
  readonly advance: (ms: number) => Promise<void>;
  /**
   * The span in ms in which cases measure leases, delays and waits. Small ones are fast, large ones sure on a busy machine.
   * Default 1000, which costs nothing with a fake clock.
   */
  readonly unit?: number;
  /** How long in ms a claim must wait before nothing means that there is nothing. Default 0; more for brokers that push. */
  readonly quiet?: number;
  /** Restarts the server, if there is one. Connections are closed before and opened again after it. */
  readonly restart?: () => Promise<void>;
  /** Opens a transaction. Needed where `capabilities.transactions` is true. */
  readonly begin?: () => Promise<OpenTransaction>;
  /** Deletes the place. Called when its connections are closed, also after a failure. */
  readonly remove?: () => Promise<void>;
}
