/**
 * What a driver can do, as literals. The conformance suite asserts each claim both ways: what is claimed works, and what
 * is not claimed throws `UnsupportedError`. The driver matrix in the README is generated from these.
 */
export interface Capabilities {
  /** How long an acknowledged job survives: nothing, this process, or a crash of the machine. Default `"disk"`. */
  readonly durability: "process" | "server-memory" | "disk";
  /** Jobs of one queue run in order of priority 9..0. Default `true`. */
  readonly priority: boolean;
  /** Jobs can be published for later, of any length, and a short delay overtakes a long one. Default `true`. */
  readonly delay: boolean;
  /** Within one priority the oldest job is claimed first. Default `true`. */
  readonly fifo: boolean;
  /** Publishes that are under way at once take effect in the order of their calls: none has to wait for another. Default `false`. */
  readonly pipelining: boolean;
  /** A second job with the same id is reported as a duplicate. Default `true`. */
  readonly idempotentIds: boolean;
  /** Waiting jobs can be cancelled and active ones told to stop. Default `true`. */
  readonly cancel: boolean;
  /**
   * How a lease ends when its worker dies: `"timed"` leases pass after their time and are renewed by heartbeats;
   * `"connection"` leases (AMQP) are bound to the worker's connection and need no heartbeat. Default `"timed"`.
   */
  readonly leases: "timed" | "connection";
  /** `settle` stores the job's outcome in the same atomic step, in the driver's own backend. Default `true`. */
  readonly atomicOutcomes: boolean;
  /** Jobs can be published and settled inside a transaction of the user's. Default `false`. */
  readonly transactions: boolean;
  /** Jobs can be counted, listed, retried, discarded and purged, and queues paused. Default `true`. */
  readonly inspect: boolean;
  /**
   * Dead letters can be listed, retried, discarded and purged, and waiting jobs counted and purged: by the inspector, or where
   * there is none by a `QueueInspector`, queue by queue. Default `true`.
   */
  readonly deadLetters: boolean;
  /** New work and outcomes are pushed rather than polled for. Default `true`. */
  readonly push: boolean;
  /** Other processes see the same jobs. Default `true`. */
  readonly shared: boolean;
  /** Jobs can be sent to every live worker of a queue at once, through a `Broadcaster`. Default `false`. */
  readonly broadcast: boolean;
}

/** The documented defaults. A driver spreads these and overrides what differs. */
export const DEFAULT_CAPABILITIES: Capabilities = {
  durability: "disk",
  priority: true,
  delay: true,
  fifo: true,
  pipelining: false,
  idempotentIds: true,
  cancel: true,
  leases: "timed",
  atomicOutcomes: true,
  transactions: false,
  inspect: true,
  deadLetters: true,
  push: true,
  shared: true,
  broadcast: false,
};
