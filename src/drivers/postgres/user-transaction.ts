import type { SqlTransaction } from "../../contracts/transaction.js";
import { ConfigError } from "../../job/errors.js";
import type { PgQueryable } from "./client.js";
import type { Parameter, Queryable, Row } from "./database.js";
import { toTaskwrightError } from "./errors.js";

/**
 * A transaction that the user has open: a client of pg, or what an adapter made of an ORM's. Only single functions of ours
 * are run in it, each with one answer, so an error leaves nothing of a batch behind: PostgreSQL then takes no more
 * statements in the transaction but its end.
 *
 * @throws {ConfigError} for anything else, and for a pool or a client without an open transaction
 */
export function adoptTransaction(transaction: unknown, location: string): Queryable {
  const run = isSqlTransaction(transaction) ? throughAdapter(transaction) : throughClient(transaction);
  return {
    query: async (text, values) => {
      try {
        return await run(text, values);
      } catch (error) {
        throw toTaskwrightError(error, `${location} (in your transaction)`, "unknown");
      }
    },
  };
}

type Run = (text: string, values: readonly Parameter[]) => Promise<readonly Row[]>;

function throughAdapter(transaction: SqlTransaction): Run {
  if (transaction.dialect !== "postgres") {
    throw new ConfigError(`the transaction given is one of ${transaction.dialect}, and jobs are in postgres`);
  }
  return async (text, values) => {
    const rows = await transaction.query(text, values.map(plain));
    return rows.map((row) => [row.answer]);
  };
}

function throughClient(client: unknown): Run {
  const { query, totalCount, getTransactionStatus } = (client ?? {}) as {
    query?: unknown;
    totalCount?: unknown;
    getTransactionStatus?: () => unknown;
  };
  if (typeof query !== "function") {
    throw new ConfigError(
      "the transaction given is no client of pg: give the client on which you ran BEGIN, or an adapter such as fromKnex(trx)",
    );
  }
  if (totalCount !== undefined) {
    throw new ConfigError("a pool was given as the transaction: give the client on which you ran BEGIN");
  }
  if (getTransactionStatus?.call(client) === "I") {
    throw new ConfigError("the client given for the transaction is not inside one: enqueue between BEGIN and COMMIT");
  }
  return async (text, values) => {
    const { rows } = (await (client as PgQueryable).query(text, values)) as {
      rows: readonly Record<string, unknown>[];
    };
    return rows.map((row) => [row.answer]);
  };
}

function isSqlTransaction(transaction: unknown): transaction is SqlTransaction {
  return typeof transaction === "object" && transaction !== null && "dialect" in transaction && "query" in transaction;
}

function plain(value: Parameter): string | number | Uint8Array | null {
  if (value === null || typeof value === "string" || typeof value === "number" || value instanceof Uint8Array)
    return value;
  throw new TypeError("only texts, numbers and bytes go into the transactions of users");
}
