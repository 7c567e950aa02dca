import { execFile } from "node:child_process";
import { appendFile, chmod, chown, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import pg from "pg";
import { CERTIFICATE, KEY, makeCertificate } from "../certificate.js";
import { findProgram, type Program } from "../programs.js";
import { type PrivateServer, type Recipe, type Site, startServer } from "../server.js";
import { SMALL_DISK, withSmallDisk } from "../small-disk.js";

const run = promisify(execFile);

/** What a PostgreSQL of a test's own can differ in. */
export interface PostgresOptions {
  /** Of the user `taskwright`, who may do everything. None by default. */
  readonly password?: string;
  /** More lines of postgresql.conf, such as "max_connections = 5". They come last, so they win. */
  readonly config?: readonly string[];
  /** Takes connections with TLS only. Its certificate, which signs itself, is `ca`. */
  readonly tls?: boolean | { readonly hosts: string };
  /** All tables are on a disk of so many MiB, which needs `canMount()`. */
  readonly disk?: number;
}

/** One PostgreSQL. */
export interface PostgresServer extends PrivateServer {
  readonly port: number;
  /** The file of the certificate to trust, where it was asked for. */
  readonly ca: string;
  /** Runs one statement, or a script, and answers its rows. `url`: in another database. */
  ask(sql: string, values?: readonly unknown[], url?: string): Promise<Record<string, unknown>[]>;
}

/** Who may do everything. */
export const USER = "taskwright";

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
  const { port, folder } = server.site;
  const url = options.tls ? `${server.url}?sslmode=no-verify` : server.url;
  if (options.disk !== undefined) {
    await ask(url, `CREATE TABLESPACE small LOCATION '${join(folder, SMALL_DISK)}'`);
    await ask(url, "ALTER DATABASE postgres SET default_tablespace = small");
  }
  return Object.assign(server, {
    port,
    ca: join(folder, CERTIFICATE),
    ask: (sql: string, values: readonly unknown[] = [], other = url) => ask(other, sql, values),
  });
}

async function recipe(options: PostgresOptions): Promise<Recipe> {
  const owner = await ownerOfServers();
  return {
    program: POSTGRES,
    prepare: (site) => prepare(site, owner, options),
    command: (path) => [...diskOf(options), ...owner.prefix, path],
    arguments: ({ folder }) => ["-D", dataOf(folder)],
    // Fast: sends clients away.
    stopSignal: "SIGINT",
    url: ({ port }) => `postgres://${USER}${options.password ? `:${options.password}` : ""}@127.0.0.1:${port}/postgres`,
    ask: ({ folder }, pid) => isReady(dataOf(folder), pid),
  };
}

function diskOf({ disk }: PostgresOptions): string[] {
  return disk === undefined ? [] : withSmallDisk(disk, SMALL_DISK);
}

/** PostgreSQL refuses to run as root. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
  /** Begins commands that are to be run as this user. */
  readonly prefix: readonly string[];
}

export async function ownerOfServers(): Promise<Owner> {
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
  const disk = options.disk === undefined ? [] : [join(folder, SMALL_DISK)];
  for (const path of disk) await mkdir(path);
  for (const path of [folder, data, ...disk]) await chown(path, owner.uid, owner.gid);
  const [program, ...args] = [...owner.prefix, await findProgram(INITDB), "-D", data, "-U", USER, "-A", "trust"];
  await run(program as string, [...args, "--no-sync", "-E", "UTF8", "--locale=C"], { cwd: data });
  await appendFile(join(data, "postgresql.conf"), `${configuration(port, options).join("\n")}\n`);
  if (options.password !== undefined) await askForPassword(data, owner, options.password);
  if (options.tls) await askForTls(folder, data, owner, options.tls === true ? undefined : options.tls.hosts);
}

async function askForTls(folder: string, data: string, owner: Owner, hosts: string | undefined): Promise<void> {
  await makeCertificate(folder, hosts);
  const [certificate, key] = [join(folder, CERTIFICATE), join(folder, KEY)];
  // It takes no key that others may read.
  await chmod(key, 0o600);
  await chown(key, owner.uid, owner.gid);
  const lines = ["ssl = on", `ssl_cert_file = '${certificate}'`, `ssl_key_file = '${key}'`];
  await appendFile(join(data, "postgresql.conf"), `${lines.join("\n")}\n`);
  const rules = join(data, "pg_hba.conf");
  await writeFile(rules, (await readFile(rules, "utf8")).replaceAll(/^host /gm, "hostssl "));
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

async function ask(url: string, sql: string, values: readonly unknown[] = []): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    // With values, even none, a script of several statements is refused.
    const asked = values.length === 0 ? client.query(sql) : client.query(sql, [...values]);
    return (await asked).rows as Record<string, unknown>[];
  } finally {
    await client.end();
  }
}
