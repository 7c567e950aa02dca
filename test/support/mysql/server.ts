import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { createConnection } from "mysql2/promise";
import { findProgram } from "../programs.js";
import { type PrivateServer, type Recipe, type Site, startServer } from "../server.js";
import { SMALL_DISK, withSmallDisk } from "../small-disk.js";

const run = promisify(execFile);

/** What a MariaDB of a test's own can differ in. */
export interface MysqlServerOptions {
  /** More arguments, such as "--max-connections=5". They come last, so they win. */
  readonly arguments?: readonly string[];
  /** Beside `test` there is a database `small`, on a disk of so many MiB, which needs `canMount()`. */
  readonly disk?: number;
}

/** One mariadbd, whose user root has no password. */
export interface MysqlServer extends PrivateServer {
  readonly port: number;
  /** Its unix socket, where it listens too. */
  readonly socket: string;
  readonly folder: string;
  /** Runs one statement as root, and answers its rows. */
  ask(sql: string): Promise<Record<string, unknown>[]>;
}

export const MARIADB = { name: "mariadbd", package: "mariadb-server" };
const INSTALLER = { name: "mariadb-install-db", package: "mariadb-server" };
const DATA = "data";
const SOCKET = "mysql.sock";

/**
 * Starts a MariaDB with an empty `test` database, in 3 s, of which the most is for its system tables. Who starts it removes
 * it.
 *
 * @throws Error when mariadbd is missing and cannot be installed, or does not start
 */
export async function startMysql(options: MysqlServerOptions = {}): Promise<MysqlServer> {
  const server = await startServer(mysqlRecipe(options));
  const { port, folder } = server.site;
  const ask = (sql: string) => askOnce(port, sql);
  return Object.assign(server, { port, folder, socket: join(folder, SOCKET), ask });
}

function mysqlRecipe(options: MysqlServerOptions): Recipe {
  return {
    program: MARIADB,
    prepare: async ({ folder }) => {
      if (options.disk === undefined) return makeSystemTables(folder);
      // MySQL knows a database only that it has made itself, and to MariaDB, which skips the file here, a folder is one.
      const script = join(folder, "small.sql");
      await writeFile(script, `CREATE DATABASE ${SMALL_DISK};\n`);
      await makeSystemTables(folder, `--init-file=${script}`);
      await mkdir(join(folder, DATA, SMALL_DISK), { recursive: true });
    },
    command: (path) => [
      ...(options.disk === undefined ? [] : withSmallDisk(options.disk, join(DATA, SMALL_DISK))),
      path,
    ],
    arguments: (site) => [...common(site.folder), ...network(site), ...TUNING, ...(options.arguments ?? [])],
    url: ({ port }) => `mysql://root@127.0.0.1:${port}/test`,
    ask: async ({ port, folder }) => {
      const [row] = await askOnce(port, "SELECT @@datadir AS datadir");
      if (String(row?.datadir) !== `${join(folder, DATA)}/`) throw new Error(`another process listens on port ${port}`);
      await askOnce(port, "CREATE DATABASE IF NOT EXISTS test");
    },
  };
}

async function makeSystemTables(folder: string, ...more: readonly string[]): Promise<void> {
  const installer = await findProgram(INSTALLER);
  await run(installer, [
    ...common(folder),
    "--auth-root-authentication-method=normal",
    "--skip-test-db",
    REDO,
    ...more,
  ]);
}

function common(folder: string): string[] {
  // As root it would refuse to run, and as another user it could not read the folder.
  const user = process.getuid?.() === 0 ? ["--user=root"] : [];
  // A server that starts removes the temporary tables in its folder for them, and would those of its neighbours in /tmp.
  return ["--no-defaults", ...user, `--datadir=${join(folder, DATA)}`, `--tmpdir=${folder}`];
}

function network({ port, folder }: Site): string[] {
  return ["--bind-address=127.0.0.1", `--port=${port}`, `--socket=${join(folder, SOCKET)}`];
}

const REDO = "--innodb-log-file-size=64M";

/** A commit survives the server's death, but not the machine's: `nosync` waits for no disk. */
const TUNING = [REDO, "--innodb-flush-method=nosync", "--innodb-buffer-pool-size=64M", "--skip-log-bin"];

async function askOnce(port: number, sql: string): Promise<Record<string, unknown>[]> {
  const connection = await createConnection({ host: "127.0.0.1", port, user: "root", connectTimeout: 2000 });
  try {
    const [rows] = await connection.query(sql);
    return Array.isArray(rows) ? (rows as Record<string, unknown>[]) : [];
  } finally {
    connection.destroy();
  }
}
