/** What is bound to a statement. Integers are plain numbers: none of ours exceeds 2^53. */
export type Parameter = null | number | string | Uint8Array;

/** A row as a client gives it. Columns are read through `cells.ts`, which checks them. */
export type Row = Readonly<Record<string, unknown>>;

/** A prepared statement. Parameters are positional. */
export interface Statement {
  /** Runs it and answers how many rows it changed. */
  run(parameters: readonly Parameter[]): number;
  /** Runs it to its end and answers its rows, so that no open cursor holds a snapshot or blocks a commit. */
  all(parameters: readonly Parameter[]): Row[];
}

/** The names of the clients, in the order in which they are looked for. */
export const CLIENT_NAMES = ["better-sqlite3", "node:sqlite", "libsql"] as const;

/** A library that reads and writes SQLite files. */
export type ClientName = (typeof CLIENT_NAMES)[number];

/** The one synchronous interface over all clients: an open file. */
export interface Client {
  readonly name: ClientName;
  readonly inTransaction: boolean;
  /** Runs statements without parameters and rows. */
  exec(sql: string): void;
  prepare(sql: string): Statement;
  /** Opens the same library on another file or the same one again. */
  open(path: string): Client;
  close(): void;
}
