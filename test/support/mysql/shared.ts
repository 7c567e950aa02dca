import { createConnection } from "mysql2/promise";
import type { OpenTransaction } from "taskwright/conformance";
import { mysql } from "taskwright/drivers/mysql";
import { systemClock } from "../../../src/clock.js";
import type { Driver } from "../../../src/contracts/index.js";
import { type MysqlServer, startMysql } from "./server.js";

let server: Promise<MysqlServer> | undefined;
let places = 0;

/** How often drivers of tests look for work: often enough for cases that wait for it. */
const POLL = "pollMin=5&pollMax=100";

/**
 * The URL of an empty place on the one MariaDB of this process, such as
 * `mysql://root@127.0.0.1:12345/test?tablePrefix=case_1_`: tables of its own, already made. The server is started by the
 * first call, in 3 s, and ends with the process, so vitest's processes, one for a test file, each have their own.
 */
export async function mysqlPlace(): Promise<string> {
  server ??= startMysql();
  return freshPlace(await server);
}

/** The same on a server of the test's own. */
export async function freshPlace({ url }: Pick<MysqlServer, "url">): Promise<string> {
  places += 1;
  const place = `${url}?tablePrefix=case_${places}_&${POLL}`;
  await migrate(mysql(place));
  return place;
}

async function migrate(driver: Driver): Promise<void> {
  const migrator = await driver.migrator?.({ clock: systemClock, random: Math.random, logger: console });
  await migrator?.apply();
  await migrator?.close();
}

/** A transaction on a connection of its own, as a user would have it. */
export async function beginOnMysql(place: string): Promise<OpenTransaction> {
  const connection = await createConnection(place.split("?", 1)[0] ?? "");
  await connection.beginTransaction();
  const end = async (ending: "commit" | "rollback") => {
    await connection[ending]();
    await connection.end();
  };
  return { handle: connection, commit: () => end("commit"), rollback: () => end("rollback") };
}
