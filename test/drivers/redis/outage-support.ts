import { type Logger, Taskwright, type TaskwrightOptions } from "taskwright";
import { type RedisOptions as DriverOptions, redis } from "taskwright/drivers/redis";
import { onTestFinished } from "vitest";
import { systemClock } from "../../../src/clock.js";
import type { Broker, Clock, Connection, Consumer, Lease, OutgoingJob } from "../../../src/contracts/index.js";
import { RecordingLogger } from "../../core/support.js";
import { type RedisOptions, type RedisServer, startRedis } from "../../support/redis/server.js";
import { until } from "../../support/until.js";

/** A redis-server of the test's own, which the test may hurt. */
export async function serve(options: RedisOptions = {}): Promise<RedisServer> {
  const server = await startRedis(options);
  onTestFinished(() => server.remove());
  return server;
}

/** A connection until the test ends. */
export async function connect(
  options: DriverOptions | string,
  { logger = new RecordingLogger(), clock = systemClock }: { logger?: Logger; clock?: Clock } = {},
): Promise<Required<Connection>> {
  const connection = await redis(options).connect({ clock, random: Math.random, logger });
  onTestFinished(() => connection.close());
  return connection as Required<Connection>;
}

/** An app until the test ends. */
export function appAt(broker: string, options: TaskwrightOptions = {}): Taskwright {
  const app = new Taskwright({ broker, logger: new RecordingLogger(), ...options });
  onTestFinished(() => app.close());
  return app;
}

/** Resolves once so many consumers wait for jobs of the queue. */
export function idle(server: RedisServer, count = 1, queue = "default"): Promise<true> {
  return until(`${count} idle`, async () => {
    const answer = await server.ask(`ZCARD {taskwright}:idle:${queue}`);
    return answer === `:${count}\r\n` ? true : undefined;
  });
}

/** The names of all keys that are there. */
export async function keysOf(server: RedisServer): Promise<string[]> {
  const answer = await server.ask("KEYS *");
  return answer
    .split("\r\n")
    .filter((line) => line.startsWith("{"))
    .sort();
}

/** What a promise rejects with. */
export function failure(promise: PromiseLike<unknown>): Promise<unknown> {
  return Promise.resolve(promise).then(
    () => {
      throw new Error("it was expected to fail");
    },
    (error: unknown) => error,
  );
}

let jobs = 0;

/** A job with an id of its own. */
export function job(fields: Partial<OutgoingJob> = {}): OutgoingJob {
  return { id: `job-${++jobs}`, queue: "default", priority: 0, task: "task", body: Buffer.from("body"), ...fields };
}

export function consume(broker: Broker, lease = 30_000): Promise<Consumer> {
  return broker.consume({ worker: "w", queues: ["default"], capacity: 100, lease, onCancel: () => {} });
}

/** Claims at once. */
export const NOW = { queues: ["default"], max: 10, wait: 0 } as const;

export function complete(lease: Lease, outcome?: string) {
  const { id, attempt } = lease;
  const record = { id, state: "completed", attempt, ttl: 60_000, body: Buffer.from(outcome ?? "") } as const;
  return { kind: "complete", lease, ...(outcome !== undefined && { outcome: record }) } as const;
}
