import { createConnection } from "mysql2/promise";
import { systemClock } from "../src/clock.js";
import { mysql } from "../src/drivers/mysql/index.js";
import { MARIADB, type MysqlServer, startMysql } from "../test/support/mysql/server.js";
import { versionOf } from "../test/support/programs.js";
import type { DatabaseWork, Place } from "./drivers.js";

/** As a server of one's own would be: every commit is on the disk before it is answered. */
const DURABLE = [
  "--innodb-flush-method=O_DIRECT",
  "--innodb-flush-log-at-trx-commit=1",
  "--innodb-buffer-pool-size=512M",
];

const silent = { debug() {}, info() {}, warn() {}, error() {} };

let server: Promise<MysqlServer> | undefined;
let databases = 0;

/** What is said of the server to the reader. */
export async function describeMysql(): Promise<string> {
  return `${await versionOf(MARIADB)}: innodb_flush_log_at_trx_commit=1, no binary log, for every measure a fresh database`;
}

/** A database with nothing in it but our tables, on one server, which ends with this process. */
export async function freshMysql(): Promise<Place> {
  server ??= startMysql({ arguments: DURABLE });
  const { url, ask } = await server;
  databases += 1;
  const database = `bench_${databases}`;
  await ask(`CREATE DATABASE ${database}`);
  const address = url.replace(/[^/]*$/, database);
  await makeTables(address);
  const bytes = (): Promise<number> => tableBytes(ask, database);
  const atStart = await bytes();
  return {
    address,
    oneProcess: false,
    bytes: async () => (await bytes()) - atStart,
    work: () => workSoFar(ask),
    pin: async () => {
      const connection = await createConnection(address);
      await connection.query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ");
      await connection.query("START TRANSACTION WITH CONSISTENT SNAPSHOT");
      return () => connection.end();
    },
    remove: async () => void (await ask(`DROP DATABASE ${database}`)),
  };
}

/** Of all pages in use by tables and indexes. */
async function tableBytes(ask: MysqlServer["ask"], database: string): Promise<number> {
  await ask(`ANALYZE TABLE ${database}.taskwright_jobs, ${database}.taskwright_line`);
  const [row] = await ask(
    `SELECT SUM(data_length + index_length) AS bytes FROM information_schema.tables WHERE table_schema = '${database}'`,
  );
  return Number(row?.bytes);
}

async function workSoFar(ask: MysqlServer["ask"]): Promise<DatabaseWork> {
  const counted = await ask(
    "SHOW GLOBAL STATUS WHERE variable_name LIKE 'Handler%' OR variable_name = 'Innodb_lsn_current'",
  );
  const values = new Map(counted.map((row) => [String(row.Variable_name), Number(row.Value)]));
  const sum = (...names: string[]): number =>
    names.reduce((total, name) => total + (values.get(name) ?? Number.NaN), 0);
  return {
    rows: sum("Handler_write", "Handler_update", "Handler_delete"),
    wal: sum("Innodb_lsn_current"),
    commits: sum("Handler_commit"),
  };
}

async function makeTables(address: string): Promise<void> {
  const environment = { clock: systemClock, random: Math.random, logger: silent };
  const migrator = await mysql(address).migrator?.(environment);
  await migrator?.apply();
  await migrator?.close();
}
