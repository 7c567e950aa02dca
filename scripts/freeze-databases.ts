/**
 * Keeps databases of this version for the tests of later ones: one for each driver with migrations, with jobs in every
 * state. Run it when a migration is new and its tables will not change any more.
 *
 *   jiti scripts/freeze-databases.ts             writes those whose newest migration has none yet
 *   jiti scripts/freeze-databases.ts --again     also those that are there: only before their migration is released
 */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { promisify } from "node:util";
import { driverFromUrl } from "../src/drivers/index.js";
import { frozenFile } from "../test/drivers/frozen/files.js";
import { populate } from "../test/drivers/frozen/populate.js";
import { startMysql } from "../test/support/mysql/server.js";
import { startPostgres } from "../test/support/postgres/server.js";
import { migrate } from "../test/support/postgres/shared.js";
import type { PrivateServer } from "../test/support/server.js";

const run = promisify(execFile);

/** How a driver's database is started and written down as SQL. */
interface Freezer {
  start(): Promise<PrivateServer>;
  dump(url: URL): readonly string[];
}

const FREEZERS: Readonly<Record<string, Freezer>> = {
  postgres: {
    start: startPostgres,
    dump: ({ href }) => ["pg_dump", "--inserts", "--no-owner", "--no-privileges", "--schema=taskwright", href],
  },
  mysql: {
    start: startMysql,
    dump: ({ port }) => ["mariadb-dump", "--no-defaults", ...MARIADB, "--host=127.0.0.1", `--port=${port}`, "test"],
  },
};
const MARIADB = ["--user=root", "--protocol=tcp", "--compact", "--hex-blob", "--skip-extended-insert"];

/** Lines that a database's own client reads, and not the server; comments; and what is empty. */
const NOT_SQL = /^(\\.*|--.*|\/\*M!.*|)$/;

async function freeze(name: string, { start, dump }: Freezer, again: boolean): Promise<void> {
  const server = await start();
  try {
    const driver = await driverFromUrl(server.url);
    const file = frozenFile(name, driver.migrations?.at(-1)?.number ?? 0);
    if (existsSync(file) && !again) return console.log(`${file} is there`);
    await migrate(driver);
    await populate(server.url);
    const [program = "", ...args] = dump(new URL(server.url));
    const { stdout } = await run(program, args, { maxBuffer: 1 << 26 });
    const lines = stdout.split("\n").filter((line) => !NOT_SQL.test(line));
    await writeFile(file, `${lines.join("\n")}\n`);
    console.log(`${file} is written`);
  } finally {
    await server.remove();
  }
}

for (const [name, freezer] of Object.entries(FREEZERS)) await freeze(name, freezer, process.argv.includes("--again"));
