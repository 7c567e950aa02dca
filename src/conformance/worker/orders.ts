import type { WorkerConfig } from "../../config/schema.js";

/** What a process of the suite is to do: its first argument, as JSON. */
export type Orders = WorkOrders | ProduceOrders;

interface CommonOrders {
  /** The URL of the place. */
  readonly broker: string;
  /** The URL of the place of outcomes, where that is another one. */
  readonly backend?: string | undefined;
  /** The folder of the ledger. */
  readonly ledger: string;
}

/** Run jobs until a signal ends it. */
export interface WorkOrders extends CommonOrders {
  readonly role: "work";
  readonly worker: WorkerConfig;
  /** Whether each line of the ledger is told to the parent as well. */
  readonly tell: boolean;
}

/** Enqueue jobs, batch after batch, until killed. Each acknowledged id is written into the ledger. */
export interface ProduceOrders extends CommonOrders {
  readonly role: "produce";
  /** Jobs of one batch. */
  readonly batch: number;
}

/** What a process tells its parent beside lines of the ledger: that it has begun. */
export interface Ready {
  readonly ready: true;
}

/** What the parent tells a process: the handler of this job may go on. */
export interface Opening {
  readonly open: string;
}
