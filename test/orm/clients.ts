import { createPool } from "mysql2/promise";
import pg from "pg";
import type { Database, Inside, Orm } from "./orms.js";

/** The clients of the drivers themselves, without an ORM: they need no adapter. */
export const CLIENTS: Readonly<Record<Database, (url: string) => Promise<Orm<object>>>> = {
  postgres: openPg,
  mysql: openMysql2,
};

async function openPg(url: string): Promise<Orm<object>> {
  const pool = new pg.Pool({ connectionString: url });
  return {
    async transaction(work) {
      const client = await pool.connect();
      client.on("error", () => {});
      const ended = ending(client, work, (end) => client.query(end));
      // One that failed is not used again.
      await ended.then(
        () => client.release(),
        (error) => client.release(error),
      );
      await ended;
    },
    close: () => pool.end(),
  };
}

async function openMysql2(url: string): Promise<Orm<object>> {
  const pool = createPool(url);
  return {
    async transaction(work) {
      const connection = await pool.getConnection();
      const ended = ending(connection, work, (end) => connection.query(end));
      await ended.then(
        () => connection.release(),
        () => connection.destroy(),
      );
      await ended;
    },
    close: () => pool.end(),
  };
}

async function ending(
  tx: object,
  work: (inside: Inside<object>) => Promise<void>,
  run: (sql: string) => Promise<unknown>,
): Promise<void> {
  await run("BEGIN");
  try {
    await work({ tx: () => tx, run });
    await run("COMMIT");
  } catch (error) {
    // A connection that was cut has rolled back already.
    await run("ROLLBACK").catch(() => {});
    throw error;
  }
}
