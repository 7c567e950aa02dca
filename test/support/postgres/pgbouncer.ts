import { chown, writeFile } from "node:fs/promises";
import { join } from "node:path";
import pg from "pg";
import type { Program } from "../programs.js";
import { type PrivateServer, type Recipe, startServer } from "../server.js";
import { type Owner, ownerOfServers, type PostgresServer, USER } from "./server.js";

const PGBOUNCER: Program = { name: "pgbouncer", package: "pgbouncer", folders: async () => ["/usr/sbin"] };

/**
 * Starts a PgBouncer in front of a server, in some 50 ms. Its URL is that server's but for the port. Who starts it removes it.
 *
 * @param mode - `transaction` gives each transaction any of three connections to the server.
 * @throws Error when pgbouncer is missing and cannot be installed, or does not start
 */
export async function startPgbouncer(
  behind: PostgresServer,
  mode: "transaction" | "session" = "transaction",
): Promise<PrivateServer> {
  return startServer(recipe(behind, mode, await ownerOfServers()));
}

function recipe(behind: PostgresServer, mode: string, owner: Owner): Recipe {
  const url = (port: number): string => behind.url.replace(`:${behind.port}/`, `:${port}/`);
  return {
    program: PGBOUNCER,
    prepare: async ({ folder, port }) => {
      await writeFile(join(folder, "users.txt"), `"${USER}" ""\n`);
      await writeFile(join(folder, "pgbouncer.ini"), configuration(behind, mode, folder, port).join("\n"));
      await chown(folder, owner.uid, owner.gid);
    },
    command: (path) => [...owner.prefix, path],
    arguments: ({ folder }) => [join(folder, "pgbouncer.ini")],
    // At once: SIGINT would wait for the clients.
    stopSignal: "SIGTERM",
    url: ({ port }) => url(port),
    ask: async ({ port }) => {
      const client = new pg.Client({ connectionString: url(port) });
      await client.connect();
      const { rows } = await client.query("SELECT current_setting('port')::int AS port").finally(() => client.end());
      if (rows[0]?.port !== behind.port) throw new Error(`another server listens on port ${port}`);
    },
  };
}

function configuration(behind: PostgresServer, mode: string, folder: string, port: number): string[] {
  return [
    "[databases]",
    `* = host=127.0.0.1 port=${behind.port}`,
    "[pgbouncer]",
    "listen_addr = 127.0.0.1",
    `listen_port = ${port}`,
    "unix_socket_dir =",
    "auth_type = trust",
    `auth_file = ${join(folder, "users.txt")}`,
    `pool_mode = ${mode}`,
    `default_pool_size = ${mode === "session" ? 20 : 3}`,
    "max_client_conn = 200",
    "",
  ];
}
