import pg from "pg";
import { postgres } from "../src/drivers/postgres/index.js";
import { POSTGRES, startPostgres } from "../test/support/postgres/server.js";
import { migrate } from "../test/support/postgres/shared.js";
import { findProgram, versionOf } from "../test/support/programs.js";
import type { Place } from "./drivers.js";

/** Every commit that is acknowledged is on the disk, for both sides. */
const CONFIG = ["fsync = on", "full_page_writes = on", "shared_buffers = 256MB", "max_wal_size = 4GB"];

/** What is said of the servers to the reader. */
export async function describePostgres(): Promise<string> {
  await findProgram(POSTGRES);
  return `${await versionOf(POSTGRES)}: ${CONFIG.join(", ")}, synchronous_commit on, for every measure of every contestant a fresh one`;
}

/** A server with our tables, still empty. Peers make theirs beside them. It ends with this process at the latest. */
export async function freshPostgres(): Promise<Place> {
  const server = await startPostgres({ config: CONFIG });
  await migrate(postgres(server.url));
  const size = async () => Number((await server.ask("SELECT pg_database_size(current_database()) AS size"))[0]?.size);
  const atStart = await size();
  return {
    address: server.url,
    oneProcess: false,
    bytes: async () => (await size()) - atStart,
    work: async () => {
      await server.ask("SELECT pg_stat_force_next_flush()");
      const [row] = await server.ask(
        `SELECT w.wal_bytes, d.xact_commit AS commits, d.tup_inserted + d.tup_updated + d.tup_deleted AS rows
           FROM pg_stat_wal w, pg_stat_database d WHERE d.datname = current_database()`,
      );
      return { wal: Number(row?.wal_bytes), commits: Number(row?.commits), rows: Number(row?.rows) };
    },
    pin: async () => {
      const client = new pg.Client({ connectionString: server.url });
      await client.connect();
      await client.query("BEGIN ISOLATION LEVEL REPEATABLE READ");
      await client.query("SELECT 1");
      return () => client.end();
    },
    remove: () => server.remove(),
  };
}
