import { postgres } from "taskwright/drivers/postgres";
import { onTestFinished } from "vitest";
import type { ClaimedJob, Connection, Consumer, OutgoingJob } from "../../../src/contracts/index.js";
import { generateId } from "../../../src/job/id.js";
import { type PostgresOptions, type PostgresServer, startPostgres } from "../../support/postgres/server.js";
import { ENVIRONMENT, migrate, postgresPlace } from "../../support/postgres/shared.js";

export const QUEUE = "work";

/** A server of the test's own, with the tables. */
export async function ownServer(options?: PostgresOptions): Promise<PostgresServer> {
  const server = await startPostgres(options);
  onTestFinished(() => server.remove());
  await migrate(postgres(server.url));
  return server;
}

/** An empty place on the server of the file. */
export function place(): Promise<string> {
  return postgresPlace();
}

/** A connection that ends with the test. */
async function connection(url: string): Promise<Connection> {
  const connected = await postgres(url).connect(ENVIRONMENT);
  onTestFinished(() => connected.close());
  return connected;
}

export type Whole = Required<Pick<Connection, "broker" | "backend" | "coordinator" | "inspector">> & Connection;

/** All contracts of a connection that has them. */
export async function contracts(url: string): Promise<Whole> {
  const connected = await connection(url);
  const { broker, backend, coordinator, inspector } = connected;
  if (!broker || !backend || !coordinator || !inspector) throw new Error("a contract is missing");
  return { ...connected, broker, backend, coordinator, inspector };
}

export function job(fields: Partial<OutgoingJob> = {}): OutgoingJob {
  return { id: generateId(Date.now()), queue: QUEUE, priority: 0, body: new Uint8Array([1]), task: "t", ...fields };
}

export function consumer({ broker }: Pick<Whole, "broker">, lease = 60_000): Promise<Consumer> {
  return broker.consume({ worker: "w", queues: [QUEUE], capacity: 1000, lease, onCancel() {} });
}

/** What there is to claim, waiting for the first up to 10 s. */
export function claim(from: Consumer, max = 100, wait = 10_000): Promise<ClaimedJob[]> {
  return from.claim({ queues: [QUEUE], max, wait });
}
