import type { ResultBackend } from "./backend.js";
import type { Broadcaster } from "./broadcaster.js";
import type { Broker } from "./broker.js";
import type { Capabilities } from "./capabilities.js";
import type { Clock, Random } from "./clock.js";
import type { Coordinator } from "./coordinator.js";
import type { Exchanges } from "./exchanges.js";
import type { Inspector } from "./inspector.js";
import type { Joiner } from "./joiner.js";
import type { Logger } from "./logger.js";
import type { Migration, Migrator } from "./migrator.js";
import type { Notifier } from "./notifier.js";
import type { QueueInspector } from "./queue-inspector.js";

/** What the core lends to a driver. */
export interface DriverEnvironment {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** An open connection: the contracts a driver has. What is absent, the core does without or says is unsupported. */
export interface Connection {
  readonly broker?: Broker;
  readonly backend?: ResultBackend;
  readonly coordinator?: Coordinator;
  readonly notifier?: Notifier;
  readonly inspector?: Inspector;
  readonly joiner?: Joiner;
  readonly exchanges?: Exchanges;
  /** Present where there is no inspector, and `capabilities.deadLetters` is true all the same. */
  readonly queueInspector?: QueueInspector;
  /** Present exactly where `capabilities.broadcast` is true. */
  readonly broadcaster?: Broadcaster;
  /**
   * Opens a backend whose outcomes are messages to those who asked (Celery's `rpc://`), through this connection, with which
   * it is closed. Present where the protocol has such.
   */
  openReplies?(): Promise<Pick<Connection, "backend" | "notifier">>;
  /** Proves that the server answers, and tells its clock. Used by `doctor`. */
  ping(): Promise<Ping>;
  close(): Promise<void>;
}

/** What a connection says of its server. */
export interface Ping {
  /** What answered, such as `"SQLite 3.51.3 (node:sqlite)"`. */
  readonly server: string;
  /** The server's clock in epoch ms. */
  readonly time: number;
  /** What the operator should know or change, each one sentence. */
  readonly warnings: readonly string[];
}

/**
 * A technology that jobs can live in. A driver is a plain value: nothing is opened, and no client library loaded, before
 * `connect`. It knows only `contracts/` and `job/`.
 *
 * @example
 * import { Taskwright } from "taskwright";
 * import { sqlite } from "taskwright/drivers/sqlite";
 *
 * const app = new Taskwright({ broker: sqlite({ path: "./jobs.db", synchronous: "NORMAL" }) });
 */
export interface Driver {
  /** Such as `"sqlite"`. */
  readonly name: string;
  /** Where it connects to, for banners and errors, with no secrets in it. */
  readonly location: string;
  /**
   * Whose messages it moves: taskwright's own, or those of Celery. A broker of another protocol carries what that puts
   * beside the body in `Envelope.headers`. Default `"taskwright"`.
   */
  readonly protocol?: "taskwright" | "celery";
  /** What it can do. Checked by the conformance suite. */
  readonly capabilities: Capabilities;
  /** Jobs run in the producer's process when they are enqueued, and `enqueue` resolves when they have ended. Default `false`. */
  readonly inline?: boolean;
  /**
   * The longest `body` of a job, and of an outcome, history, progress report or line of a log, in bytes. The core checks it
   * before it sends anything, so that what is too long fails alone. Absent: no limit.
   */
  readonly maxBytes?: number;
  /** The schema it needs, as scripts; no server is asked. Absent: it needs none, or makes its own. */
  readonly migrations?: readonly Migration[];
  /** Opens the place for changes of its schema. Present exactly where `migrations` is. */
  migrator?(environment: DriverEnvironment): Promise<Migrator>;
  /** Opens it. Throws a `BrokerError` that says what to do when that fails. */
  connect(environment: DriverEnvironment): Promise<Connection>;
}
