import { mysqlPlace } from "../support/mysql/shared.js";
import { postgresPlace } from "../support/postgres/shared.js";
import type { Database } from "./orms.js";

/** The broker of an empty place on a server of this process's own, and the database that it is in. */
export async function openPlace(database: Database): Promise<{ readonly broker: string; readonly url: string }> {
  const broker = database === "postgres" ? await postgresPlace() : await mysqlPlace();
  return { broker, url: broker.split("?", 1)[0] ?? "" };
}
