import { statSync } from "node:fs";
import type { OutgoingJob, PublishStatus, Settlement, SettleStatus } from "../../contracts/broker.js";
import type { Clock } from "../../contracts/clock.js";
import { ConfigError } from "../../job/errors.js";
import { adopt } from "./clients/adopt.js";
import type { Client } from "./clients/client.js";
import { toTaskwrightError } from "./errors.js";
import { publishJobs } from "./publish.js";
import { settleAll } from "./settle.js";
import {
  type PublishStatements,
  preparePublishing,
  prepareSettling,
  type SettleStatements,
} from "./statements/index.js";
import type { Store } from "./store.js";
import type { Watcher } from "./watcher.js";

const SAVEPOINT = "taskwright_batch";

/** A connection of the user's, with its statements, which are prepared when they are first needed. */
class Lent {
  readonly client: Client;
  #publishing: PublishStatements | undefined;
  #settling: SettleStatements | undefined;

  constructor(client: Client) {
    this.client = client;
  }

  get publishing(): PublishStatements {
    this.#publishing ??= preparePublishing(this.client, false);
    return this.#publishing;
  }

  get settling(): SettleStatements {
    this.#settling ??= prepareSettling(this.client);
    return this.#settling;
  }
}

/** Publishing and settling on connections of the user's, inside the transactions that are open on them. */
export class UserTransactions {
  readonly #store: Store;
  readonly #watcher: Watcher;
  readonly #clock: Clock;
  readonly #path: string;
  /** For as long as the user keeps each connection. */
  readonly #lent = new WeakMap<object, Lent>();

  constructor(store: Store, watcher: Watcher, clock: Clock, path: string) {
    this.#store = store;
    this.#watcher = watcher;
    this.#clock = clock;
    this.#path = path;
  }

  /** Writes before it returns. Either all jobs are in the user's transaction, or none and it throws. */
  publish(database: unknown, jobs: readonly OutgoingJob[]): PublishStatus[] {
    return this.#write(database, ({ publishing }, now) => publishJobs(publishing, jobs, now));
  }

  /** The same for the ends of attempts. */
  settle(database: unknown, settlements: readonly Settlement[]): SettleStatus[] {
    return this.#write(database, ({ settling }, now) => settleAll(settling, settlements, now));
  }

  /** @throws {ConfigError} when `database` is no database, has no transaction open, or is on another file. */
  #write<T>(database: unknown, work: (lent: Lent, now: number) => T): T {
    this.#store.assertOpen();
    const known = typeof database === "object" && database !== null ? this.#lent.get(database) : undefined;
    const lent = known ?? this.#adopt(database);
    if (!lent.client.inTransaction) {
      throw new ConfigError(
        "the database given for the transaction is not inside one: use it between BEGIN and COMMIT, or enqueue without it",
      );
    }
    try {
      const result = withinSavepoint(lent.client, () => work(lent, this.#store.now()));
      this.#touchWhenCommitted();
      return result;
    } catch (error) {
      throw toTaskwrightError(error, `${this.#store.location} (in your transaction)`);
    }
  }

  /** A commit on another connection is seen by the watcher; one on the connection that was lent to us is not. */
  #touchWhenCommitted(): void {
    if (this.#store.closed) return;
    if (this.#store.client.inTransaction) this.#clock.schedule(() => this.#touchWhenCommitted(), 1);
    else this.#watcher.touch();
  }

  #adopt(database: unknown): Lent {
    refuseAdapter(database);
    const client = adopt(database, "the transaction");
    const path = mainFile(client);
    if (!isSameFile(path, this.#path)) {
      throw new ConfigError(
        `the database given for the transaction is on ${path || "memory"}, and jobs are in ${this.#path}: they must be one file`,
      );
    }
    const own = this.#store.client.name;
    if (client.name !== own) {
      throw new ConfigError(
        `the database given for the transaction is ${client.name}'s, and jobs are written through ${own}. Two copies of SQLite in one process cancel each other's locks on a file and can damage it: set client: "${client.name}"`,
      );
    }
    const lent = new Lent(client);
    this.#lent.set(database as object, lent);
    return lent;
  }
}

/** SQLite's clients are synchronous, and so is what is written through them here. */
function refuseAdapter(transaction: unknown): void {
  if (typeof transaction !== "object" || transaction === null || !("dialect" in transaction)) return;
  throw new ConfigError("the transaction is an ORM's: with SQLite give the Database that the ORM works on, itself");
}

/** The file that a connection is on; empty for memory. */
export function mainFile(client: Client): string {
  const row = client.prepare("PRAGMA database_list").all([])[0];
  return typeof row?.file === "string" ? row.file : "";
}

/** A user who catches our error and commits must not commit half a batch. */
function withinSavepoint<T>(client: Client, work: () => T): T {
  client.exec(`SAVEPOINT ${SAVEPOINT}`);
  try {
    const result = work();
    client.exec(`RELEASE ${SAVEPOINT}`);
    return result;
  } catch (error) {
    // After a full disk SQLite has rolled the whole transaction back, and there is no savepoint left.
    if (client.inTransaction) client.exec(`ROLLBACK TO ${SAVEPOINT}; RELEASE ${SAVEPOINT}`);
    throw error;
  }
}

function isSameFile(one: string, other: string): boolean {
  if (one === "") return false;
  const [a, b] = [statSync(one, { throwIfNoEntry: false }), statSync(other, { throwIfNoEntry: false })];
  return a !== undefined && b !== undefined && a.dev === b.dev && a.ino === b.ino;
}
