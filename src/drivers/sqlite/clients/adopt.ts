import { ConfigError } from "../../../job/errors.js";
import { BetterSqlite3Client, type BetterSqlite3Database } from "./better-sqlite3.js";
import type { Client } from "./client.js";
import { NodeSqliteClient, type NodeSqliteDatabase } from "./node-sqlite.js";

/** An open database of the user's: better-sqlite3's or libsql's `Database`, or `node:sqlite`'s `DatabaseSync`. */
export type UserDatabase = BetterSqlite3Database | NodeSqliteDatabase;

/**
 * The client for a database that the user opened.
 *
 * @param what What the value was given as, such as `"database"`; the error starts with it.
 * @throws {ConfigError} when it is none of the three.
 */
export function adopt(value: unknown, what: string): Client {
  if (!isDatabase(value)) {
    throw new ConfigError(`${what} is not an open Database of better-sqlite3, node:sqlite or libsql`);
  }
  if ("inTransaction" in value && typeof value.inTransaction === "boolean") {
    return new BetterSqlite3Client("syncUntil" in value ? "libsql" : "better-sqlite3", value as BetterSqlite3Database);
  }
  return new NodeSqliteClient(value as NodeSqliteDatabase);
}

function isDatabase(value: unknown): value is UserDatabase {
  if (typeof value !== "object" || value === null) return false;
  const { exec, prepare, close } = value as Record<string, unknown>;
  return typeof exec === "function" && typeof prepare === "function" && typeof close === "function";
}
