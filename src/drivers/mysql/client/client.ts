import type { SqlRow } from "../../../contracts/transaction.js";
import type { Parameter } from "../sql.js";

/** Where statements run: a connection of ours in a transaction or without one, or a transaction of the user's. */
export interface Session {
  /** Whose marks it makes (statements/slices.ts): those of one transaction of the user's, or, where it is null, of the connection. */
  readonly writer: number | null;
  /** Runs one statement and answers its rows: none for a statement that returns none. */
  run(sql: string, parameters?: readonly Parameter[]): Promise<readonly SqlRow[]>;
}

/** A session on a connection of the pool's. */
export interface PooledSession extends Session {
  /** Runs one statement, and answers how many rows it changed, or found and left as they were. */
  change(sql: string, parameters?: readonly Parameter[]): Promise<number>;
  /** Runs one that cannot be prepared, such as `COMMIT`. */
  command(sql: string): Promise<void>;
  /** Gives the connection back. */
  release(): void;
  /** Closes it, because it is of no use any more. */
  destroy(): void;
}

/** Connections of a client library. */
export interface Pool {
  acquire(): Promise<PooledSession>;
  close(): Promise<void>;
}
