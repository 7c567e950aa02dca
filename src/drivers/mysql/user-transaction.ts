import type { SqlTransaction } from "../../contracts/transaction.js";
import { BrokerError, ConfigError } from "../../job/errors.js";
import type { Session } from "./client/client.js";
import { adoptConnection } from "./client/mysql2.js";
import { isConnectionLost, isDeadlock, isMissingSavepoint, isNotPreparable, toTaskwrightError } from "./errors.js";
import { randomNumber } from "./random-number.js";

const SAVEPOINT = "taskwright";

/** Work on connections of the user's, inside the transactions that are open on them. */
export class UserTransactions {
  readonly #location: string;
  readonly #snapshots: boolean;

  /** `snapshots`: the server has `innodb_snapshot_isolation`. */
  constructor(location: string, snapshots: boolean) {
    this.#location = location;
    this.#snapshots = snapshots;
  }

  /**
   * Either all of the work is in the user's transaction, or none, and it throws. A deadlock has ended the whole
   * transaction: only the user can do it again.
   *
   * @throws {ConfigError} when `transaction` is neither a connection of mysql2 nor an adapter's transaction for MySQL.
   */
  async within<T>(transaction: unknown, work: (session: Session) => Promise<T>): Promise<T> {
    const session = toSession(transaction);
    try {
      return await withinSavepoint(session, (own) => work(this.#snapshots ? withoutSnapshots(own) : own));
    } catch (error) {
      throw toTaskwrightError(error, `${this.#location} (in your transaction)`, "none");
    }
  }
}

/**
 * With it, a lock on a row that changed since the user's transaction first read anything ends that transaction. Ours do change:
 * heartbeats extend the lease of the job that is to be completed. Rows of the user's own are not concerned.
 */
function withoutSnapshots({ writer, run }: Session): Session {
  return {
    writer,
    run: (sql, parameters) => run(`SET STATEMENT innodb_snapshot_isolation = OFF FOR ${sql}`, parameters),
  };
}

/** A user who catches our error and commits must not commit half a batch. */
async function withinSavepoint<T>(session: Session, work: (session: Session) => Promise<T>): Promise<T> {
  const saved = await savepoint(session);
  try {
    const result = await work(session);
    if (saved) await session.run(`RELEASE SAVEPOINT ${SAVEPOINT}`);
    return result;
  } catch (error) {
    if (saved) await rollBack(session, error);
    else if (!isConnectionLost(error) && !isDeadlock(error)) throw inPart(error, error);
    throw error;
  }
}

/** @throws {BrokerError} when a part of the work is still in the transaction, which its user has to roll back then. */
async function rollBack(session: Session, cause: unknown): Promise<void> {
  try {
    await session.run(`ROLLBACK TO SAVEPOINT ${SAVEPOINT}`);
  } catch (error) {
    // After a deadlock, or on a connection that is lost, nothing is left of what was written, nor the savepoint.
    if (isMissingSavepoint(error) || isConnectionLost(error)) return;
    throw inPart(cause, error);
  }
}

function inPart(cause: unknown, because: unknown): BrokerError {
  const why = because instanceof Error ? because.message : String(because);
  return new BrokerError(`what failed may be in your transaction in part: roll it back (${why})`, {
    cause,
    retryable: false,
    outcome: "unknown",
  });
}

/** MySQL has none for an ORM that prepares every statement. MariaDB has, since 10.6. */
async function savepoint(session: Session): Promise<boolean> {
  try {
    await session.run(`SAVEPOINT ${SAVEPOINT}`);
    return true;
  } catch (error) {
    if (isNotPreparable(error)) return false;
    throw error;
  }
}

function toSession(transaction: unknown): Session {
  if (isSqlTransaction(transaction)) {
    if (transaction.dialect !== "mysql") {
      throw new ConfigError(
        `the transaction is one of ${transaction.dialect}, and jobs are in MySQL: they must be in one database`,
      );
    }
    return { writer: randomNumber(), run: (sql, parameters = []) => transaction.query(sql, parameters) };
  }
  const session = adoptConnection(transaction);
  if (session !== undefined) return session;
  throw new ConfigError(
    "the transaction is no connection of mysql2/promise: give the one on which you called beginTransaction(), or what an adapter such as fromKnex() makes of an ORM's",
  );
}

function isSqlTransaction(value: unknown): value is SqlTransaction {
  if (typeof value !== "object" || value === null) return false;
  const { dialect, query } = value as { dialect?: unknown; query?: unknown };
  return typeof dialect === "string" && typeof query === "function";
}
