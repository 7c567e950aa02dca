import { statSync } from "node:fs";
import type { OutgoingJob, PublishStatus } from "../../contracts/broker.js";
import { ConfigError } from "../../job/errors.js";
import { adopt } from "./clients/adopt.js";
import type { Client } from "./clients/client.js";
import { toTaskwrightError } from "./errors.js";
import { publishJobs } from "./publish.js";
import { type PublishStatements, preparePublishing } from "./statements/index.js";

const SAVEPOINT = "taskwright_publish";

interface Prepared {
  readonly client: Client;
  readonly statements: PublishStatements;
}

/** Publishing on connections of the user's, inside the transactions that are open on them. */
export class UserTransactions {
  readonly #own: Client;
  readonly #path: string;
  readonly #location: string;
  /** Statements prepared on each connection, for as long as the user keeps it. */
  readonly #prepared = new WeakMap<object, Prepared>();

  constructor(own: Client, path: string, location: string) {
    this.#own = own;
    this.#path = path;
    this.#location = location;
  }

  /**
   * Writes before it returns. Either all jobs are in the user's transaction, or none and it throws.
   *
   * @throws {ConfigError} when `database` is no database, has no transaction open, or is on another file.
   */
  publish(database: unknown, jobs: readonly OutgoingJob[], now: number): PublishStatus[] {
    const known = typeof database === "object" && database !== null ? this.#prepared.get(database) : undefined;
    const client = known?.client ?? this.#adopt(database);
    if (!client.inTransaction) {
      throw new ConfigError(
        "the database given for the transaction is not inside one: enqueue between BEGIN and COMMIT, or without it",
      );
    }
    try {
      const { statements } = known ?? this.#prepare(database as object, client);
      return withinSavepoint(client, () => publishJobs(statements, jobs, now));
    } catch (error) {
      throw toTaskwrightError(error, `${this.#location} (in your transaction)`);
    }
  }

  #prepare(database: object, client: Client): Prepared {
    const prepared = { client, statements: preparePublishing(client, false) };
    this.#prepared.set(database, prepared);
    return prepared;
  }

  #adopt(database: unknown): Client {
    const client = adopt(database, "the transaction");
    const path = mainFile(client);
    if (!isSameFile(path, this.#path)) {
      throw new ConfigError(
        `the database given for the transaction is on ${path || "memory"}, and jobs are in ${this.#path}: they must be one file`,
      );
    }
    if (client.name !== this.#own.name) {
      throw new ConfigError(
        `the database given for the transaction is ${client.name}'s, and jobs are written through ${this.#own.name}. Two copies of SQLite in one process cancel each other's locks on a file and can damage it: set client: "${client.name}"`,
      );
    }
    return client;
  }
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
