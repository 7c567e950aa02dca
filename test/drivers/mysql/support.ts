import { createConnection, type Connection as Mysql2Connection } from "mysql2/promise";
import { ConfigError } from "taskwright";
import { mysql } from "taskwright/drivers/mysql";
import { onTestFinished } from "vitest";
import { systemClock } from "../../../src/clock.js";
import type { Connection, DriverEnvironment, OutgoingJob } from "../../../src/contracts/index.js";
import { generateId } from "../../../src/job/id.js";
import { type MysqlServer, type MysqlServerOptions, startMysql } from "../../support/mysql/server.js";
import { freshPlace, mysqlPlace } from "../../support/mysql/shared.js";

const silent = { debug() {}, info() {}, warn() {}, error() {} };

export const ENVIRONMENT: DriverEnvironment = { clock: systemClock, random: Math.random, logger: silent };

/** Claims what there is, at once. */
export const NOW = { queues: ["default"], max: 100, wait: 0 };

/** All contracts of a connection. */
export type Open = Required<Pick<Connection, "broker" | "backend" | "coordinator" | "inspector" | "ping" | "close">>;

/** Opens a place until the end of the test. */
export async function connect(url: string): Promise<Open> {
  const connection = await mysql(url).connect(ENVIRONMENT);
  onTestFinished(() => connection.close());
  const { broker, backend, coordinator, inspector } = connection;
  if (!broker || !backend || !coordinator || !inspector) throw new ConfigError("a contract is missing");
  const { ping, close } = connection;
  return { broker, backend, coordinator, inspector, ping, close };
}

/** An open place on the process's one server, and its URL. */
export async function place(): Promise<Open & { readonly url: string }> {
  const url = await mysqlPlace();
  return { ...(await connect(url)), url };
}

/** A server of the test's own, with a place on it. */
export async function serve(options: MysqlServerOptions = {}): Promise<MysqlServer & { readonly place: string }> {
  const server = await startMysql(options);
  onTestFinished(() => server.remove());
  return Object.assign(server, { place: await freshPlace(server) });
}

/** A connection as a user has it. */
export async function connection(url: string): Promise<Mysql2Connection> {
  const opened = await createConnection(url.split("?", 1)[0] ?? "");
  // One that a test has cut is no longer there to be closed in order.
  onTestFinished(() => opened.destroy());
  return opened;
}

/** The prefix of a place's tables. */
export function prefixOf(url: string): string {
  return new URL(url).searchParams.get("tablePrefix") ?? "";
}

export function job(fields: Partial<OutgoingJob> = {}): OutgoingJob {
  const id = generateId(Date.now());
  return { id, queue: "default", priority: 0, task: "test", body: Buffer.from("a job"), ...fields };
}

export function consume({ broker }: Pick<Open, "broker">, lease = 30_000) {
  return broker.consume({ worker: "test", queues: ["default"], capacity: 100, lease, onCancel() {} });
}

/** The error that a call ends with. */
export async function failure(call: Promise<unknown>): Promise<unknown> {
  const answer = await call.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  if ("error" in answer) return answer.error;
  throw new Error(`it did not fail, and answered ${JSON.stringify(answer.value)}`);
}
