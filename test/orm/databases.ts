import type { Database } from "./orms.js";

export async function databaseUrl(database: Database): Promise<string> {
  return database === "postgres" ? "postgres://postgres@127.0.0.1:21432/postgres" : "mysql://t:t@127.0.0.1:21306/t";
}
