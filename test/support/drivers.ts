import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import type { Contract, OpenTransaction, Place, Skip } from "taskwright/conformance";
import { memory } from "taskwright/drivers/memory";
import { mysql } from "taskwright/drivers/mysql";
import { postgres } from "taskwright/drivers/postgres";
import { rabbitmq } from "taskwright/drivers/rabbitmq";
import { redis } from "taskwright/drivers/redis";
import { sqlite } from "taskwright/drivers/sqlite";
import { FakeClock } from "taskwright/testing";
import { systemClock } from "../../src/clock.js";
import type { Capabilities, Driver } from "../../src/contracts/index.js";
import { CLIENTS, openDatabase } from "../drivers/sqlite/support.js";
import { beginOnMysql, mysqlPlace } from "./mysql/shared.js";
import { postgresPlace } from "./postgres/shared.js";
import { rabbitmqPlace } from "./rabbitmq/shared.js";
import { redisPlace } from "./redis/shared.js";
import { temporaryFolder } from "./temporary.js";

/** In ms. Cases measure in it; with a fake clock a smaller one only means that drivers that poll fire fewer timers. */
const UNIT = 100;

/** The same where time really passes: the smallest that is sure on two busy cores. */
const REAL_UNIT = 40;

/** The same for MySQL, which writes to disk: moving 10,000 jobs must take less than 100 of them. */
const MYSQL_UNIT = 80;

/** Capabilities do not depend on the place. */
const ANY_MYSQL = "mysql://localhost/test";

/** How long a claim of a broker that pushes has to wait before nothing means that there is nothing, in ms. */
const QUIET = 200;
/** Cases look for nothing two units before there is something, so these must be much longer than that wait. */
const PUSHED_UNIT = 250;

/** A driver as the tests meet it. */
export interface TestedDriver {
  readonly capabilities: Capabilities;
  /** What its connections have. Default: everything but a broadcaster. */
  readonly contracts?: readonly Contract[];
  /** Makes an empty place. */
  open(): Promise<Place>;
  /** Its server decides what time it is, so time really passes. */
  readonly serverClock?: true;
  /** What it does not pass yet, and why. */
  readonly skip?: readonly Skip[];
}

/** All drivers that there are. One with a server starts it in `open`, once: see README.md in this folder. */
const DRIVERS: Readonly<Record<string, TestedDriver>> = {
  memory: {
    capabilities: memory().capabilities,
    open: async () => placeWithFakeClock(memory()),
  },
  sqlite: {
    capabilities: sqlite().capabilities,
    open: openSqlitePlace,
  },
  redis: {
    capabilities: redis().capabilities,
    open: async () => placeWithServerClock(redis(await redisPlace())),
    serverClock: true,
  },
  postgres: {
    capabilities: postgres().capabilities,
    open: openPostgresPlace,
    serverClock: true,
  },
  mysql: {
    capabilities: mysql(ANY_MYSQL).capabilities,
    contracts: ["broker", "backend", "coordinator", "inspector"],
    open: openMysqlPlace,
    serverClock: true,
  },
  rabbitmq: {
    capabilities: rabbitmq().capabilities,
    contracts: ["broker", "queueInspector"],
    open: openRabbitmqPlace,
    serverClock: true,
  },
};

/**
 * The drivers to test: those of `DRIVERS=sqlite,memory`, or all.
 *
 * @throws Error for a name that is no driver, with the names that are
 */
export function selectedDrivers(selection = process.env.DRIVERS): [name: string, driver: TestedDriver][] {
  const names = (selection ?? "").split(",").map((name) => name.trim());
  const wanted = names.filter((name) => name !== "");
  for (const name of wanted) {
    if (!Object.hasOwn(DRIVERS, name)) {
      throw new Error(`DRIVERS names "${name}", which is none of the drivers here: ${Object.keys(DRIVERS).join(", ")}`);
    }
  }
  return Object.entries(DRIVERS).filter(([name]) => wanted.length === 0 || wanted.includes(name));
}

/** A place in which time moves only when a test moves it. For drivers whose one clock is the environment's. */
function placeWithFakeClock(driver: Driver, rest: Pick<Place, "begin" | "remove"> = {}): Place {
  const clock = new FakeClock();
  return { driver, clock, advance: (ms) => clock.advance(ms), unit: UNIT, ...rest };
}

/** A place whose server decides what time it is: it has to pass. */
function placeWithServerClock(driver: Driver, rest: Partial<Pick<Place, "begin" | "unit">> = {}): Place {
  return { driver, clock: systemClock, advance: (ms) => delay(ms), unit: REAL_UNIT, ...rest };
}

async function openMysqlPlace(): Promise<Place> {
  const url = await mysqlPlace();
  return placeWithServerClock(mysql(url), { begin: () => beginOnMysql(url), unit: MYSQL_UNIT });
}

/** A file with the client that comes first here. `synchronous` does not matter to what a driver does, but to how fast it is. */
async function openSqlitePlace(): Promise<Place> {
  const folder = await temporaryFolder();
  const path = join(folder.path, "jobs.db");
  return placeWithFakeClock(sqlite({ path, synchronous: "NORMAL" }), {
    begin: async () => beginOnSqlite(path),
    remove: () => folder.remove(),
  });
}

/** A new connection plans each statement when it first comes to it, which takes longer than a Redis does for all. */
async function openPostgresPlace(): Promise<Place> {
  const url = await postgresPlace();
  return placeWithServerClock(postgres(url), { unit: 2 * REAL_UNIT, begin: () => beginOnPostgres(url) });
}

async function beginOnPostgres(url: string): Promise<OpenTransaction> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query("BEGIN");
  const end = async (statement: string) => {
    await client.query(statement);
    await client.end();
  };
  return { handle: client, commit: () => end("COMMIT"), rollback: () => end("ROLLBACK") };
}

async function openRabbitmqPlace(): Promise<Place> {
  const { url, remove } = await rabbitmqPlace();
  return { ...placeWithServerClock(rabbitmq(url)), unit: PUSHED_UNIT, quiet: QUIET, remove };
}

function beginOnSqlite(path: string): OpenTransaction {
  const [client] = CLIENTS;
  if (!client) throw new Error("no SQLite client can be loaded here");
  const database = openDatabase(client, path);
  database.exec("BEGIN IMMEDIATE");
  const end = async (statement: string) => {
    database.exec(statement);
    database.close();
  };
  return { handle: database, commit: () => end("COMMIT"), rollback: () => end("ROLLBACK") };
}
