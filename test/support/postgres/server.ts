import { execFile } from "node:child_process";
import { appendFile, chown, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import pg from "pg";
import { findProgram, type Program } from "../programs.js";
import { type PrivateServer, type Recipe, type Site, startServer } from "../server.js";

const run = promisify(execFile);

/** What a PostgreSQL of a test's own can differ in. */
export interface PostgresOptions {
  /** Of the user `taskwright`, who may do everything. None by default. */
  readonly password?: string;
  /** More lines of postgresql.conf, such as "max_connections = 5". They come last, so they win. */
  readonly config?: readonly string[];
}

/** One PostgreSQL. */
export interface PostgresServer extends PrivateServer {
  readonly port: number;
  /** Runs one statement, and answers its rows. */
  ask(sql: string, values?: readonly unknown[]): Promise<Record<string, unknown>[]>;
}

const USER = "taskwright";

/** Debian keeps the server's programs of each version in a folder of its own. */
async function folders(): Promise<string[]> {
  const root = "/usr/lib/postgresql";
  const versions = await readdir(root).catch(() => []);
  return versions.sort((a, b) => Number(b) - Number(a)).map((version) => join(root, version, "bin"));
}

export const POSTGRES: Program = { name: "postgres", package: "postgresql", folders };
const INITDB: Program = { name: "initdb", package: "postgresql", folders };

/**
 * Starts a PostgreSQL with an empty database, in about a second. Nothing of it is flushed to the disk, which a kill of its
 * processes does not notice. Who starts it removes it.
 *
 * @throws Error when postgres is missing and cannot be installed, or does not start
 */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const server = await startServer(await recipe(options));
  return Object.assign(server, {
    port: server.site.port,
    ask: (sql: string, values: readonly unknown[] = []) => ask(server.url, sql, values),
  });
}

async function recipe(options: PostgresOptions): Promise<Recipe> {
  const owner = await ownerOfServers();
  return {
    program: POSTGRES,
    prepare: (site) => prepare(site, owner, options),
    command: (path) => [...owner.prefix, path],
    arguments: ({ folder }) => ["-D", dataOf(folder)],
    // Fast: sends clients away.
    stopSignal: "SIGINT",
    url: ({ port }) => `postgres://${USER}${options.password ? `:${options.password}` : ""}@127.0.0.1:${port}/postgres`,
    ask: ({ folder }, pid) => isReady(dataOf(folder), pid),
  };
}

/** PostgreSQL refuses to run as root. */
interface Owner {
  readonly uid: number;
  readonly gid: number;
  /** Begins commands that are to be run as this user. */
  readonly prefix: readonly string[];
}

async function ownerOfServers(): Promise<Owner> {
  const [uid = 0, gid = 0] = [process.getuid?.(), process.getgid?.()];
  if (uid !== 0) return { uid, gid, prefix: [] };
  // Made by Debian's package, which may have to be installed first.
  await findProgram(POSTGRES);
  const id = async (flag: string) => Number((await run("id", [flag, "postgres"])).stdout);
  const owner = { uid: await id("-u"), gid: await id("-g") };
  return { ...owner, prefix: ["setpriv", `--reuid=${owner.uid}`, `--regid=${owner.gid}`, "--clear-groups"] };
}

async function prepare({ folder, port }: Site, owner: Owner, options: PostgresOptions): Promise<void> {
  const data = dataOf(folder);
  await mkdir(data);
  for (const path of [folder, data]) await chown(path, owner.uid, owner.gid);
  const [program, ...args] = [...owner.prefix, await findProgram(INITDB), "-D", data, "-U", USER, "-A", "trust"];
  await run(program as string, [...args, "--no-sync", "-E", "UTF8", "--locale=C"], { cwd: data });
  await appendFile(join(data, "postgresql.conf"), `${configuration(port, options).join("\n")}\n`);
  if (options.password !== undefined) await askForPassword(data, owner, options.password);
}

function configuration(port: number, { config = [] }: PostgresOptions): string[] {
  return [
    "listen_addresses = '127.0.0.1'",
    `port = ${port}`,
    "unix_socket_directories = ''",
    "max_connections = 200",
    "shared_buffers = 64MB",
    "fsync = off",
    "full_page_writes = off",
    ...config,
  ];
}

async function askForPassword(data: string, owner: Owner, password: string): Promise<void> {
  const [program, ...args] = [...owner.prefix, await findProgram(POSTGRES), "--single", "-D", data, "postgres"];
  const running = run(program as string, args, { cwd: data });
  running.child.stdin?.end(`ALTER USER ${USER} PASSWORD '${password}'\n`);
  await running;
  const rules = join(data, "pg_hba.conf");
  await writeFile(rules, (await readFile(rules, "utf8")).replaceAll("trust", "scram-sha-256"));
}

/** The server writes down its process and how far it is. */
async function isReady(data: string, pid: number): Promise<void> {
  const lines = (await readFile(join(data, "postmaster.pid"), "utf8")).split("\n");
  if (Number(lines[0]) !== pid) throw new Error(`another process (${lines[0]}) has the data folder`);
  if (lines[7]?.trim() !== "ready") throw new Error(`it is ${lines[7]?.trim() ?? "starting"}`);
}

function dataOf(folder: string): string {
  return join(folder, "data");
}

async function ask(url: string, sql: string, values: readonly unknown[]): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql, [...values])).rows as Record<string, unknown>[];
  } finally {
    await client.end();
  }
}
