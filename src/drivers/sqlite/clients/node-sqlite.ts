import type { Client, Parameter, Row, Statement } from "./client.js";
import { withoutNumbers } from "./numbers.js";

/** What is used of `node:sqlite`'s `DatabaseSync`; a user's own can be passed as it is. */
export interface NodeSqliteDatabase {
  /** Absent before Node 22.16. */
  readonly isTransaction?: boolean;
  exec(sql: string): unknown;
  prepare(sql: string): NodeSqliteStatement;
  close(): unknown;
}

export interface NodeSqliteStatement {
  run(...parameters: Parameter[]): { changes: number | bigint };
  all(...parameters: Parameter[]): unknown[];
}

export type NodeSqliteConstructor = new (path: string) => NodeSqliteDatabase;

/** `node:sqlite`, built into Node 22.13 and later. */
export class NodeSqliteClient implements Client {
  readonly name = "node:sqlite";
  readonly #database: NodeSqliteDatabase;

  constructor(database: NodeSqliteDatabase) {
    this.#database = database;
  }

  get inTransaction(): boolean {
    return this.#database.isTransaction ?? this.#probeTransaction();
  }

  exec(sql: string): void {
    this.#database.exec(sql);
  }

  prepare(sql: string): Statement {
    const { text, bind } = withoutNumbers(sql);
    const statement = this.#database.prepare(text);
    return {
      run: (parameters) => Number(statement.run(...bind(parameters)).changes),
      all: (parameters) => statement.all(...bind(parameters)) as Row[],
    };
  }

  open(path: string): Client {
    const Database = this.#database.constructor as NodeSqliteConstructor;
    return new NodeSqliteClient(new Database(path));
  }

  close(): void {
    this.#database.close();
  }

  /** Transactions do not nest, so where one can begin there is none. */
  #probeTransaction(): boolean {
    try {
      this.#database.exec("BEGIN");
    } catch {
      return true;
    }
    this.#database.exec("ROLLBACK");
    return false;
  }
}
