/** The SQL that a database understands. */
export type SqlDialect = "postgres" | "mysql" | "sqlite";

/** What an SQL driver binds to a placeholder: what every client and ORM passes on unchanged. */
export type SqlParameter = string | number | Uint8Array | null;

/** One row of an answer, by column. What is in it is the client's business, so a driver checks what it reads. */
export type SqlRow = Readonly<Record<string, unknown>>;

/**
 * A transaction that the user has open, however it was opened: drivers write jobs and settle them in it. The adapters
 * (`fromPrisma`, `fromKnex` and so on) make one of an ORM's transaction.
 */
export interface SqlTransaction {
  /** Placeholders are `$1`, `$2` for postgres, and `?` for mysql and sqlite. */
  readonly dialect: SqlDialect;
  /** Runs one statement in the transaction, and answers its rows: none for a statement that returns none. */
  query(sql: string, parameters: readonly SqlParameter[]): Promise<readonly SqlRow[]>;
}
