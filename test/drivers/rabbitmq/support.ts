import { type Channel, connect as connectRaw } from "amqplib";
import { Taskwright, type TaskwrightOptions } from "taskwright";
import { type RabbitmqOptions as DriverOptions, rabbitmq } from "taskwright/drivers/rabbitmq";
import { onTestFinished } from "vitest";
import { systemClock } from "../../../src/clock.js";
import type { Broker, Connection, Consumer, Lease, OutgoingJob } from "../../../src/contracts/index.js";
import { RecordingLogger } from "../../core/support.js";
import { type RabbitmqOptions, type RabbitmqServer, startRabbitmq } from "../../support/rabbitmq/server.js";
import { rabbitmqPlace } from "../../support/rabbitmq/shared.js";

/** What a connection to RabbitMQ has. */
export type Parts = Connection & Required<Pick<Connection, "broker" | "queueInspector">>;

/** A RabbitMQ of the test's own, which the test may hurt. */
export async function serve(options: RabbitmqOptions = {}): Promise<RabbitmqServer> {
  const server = await startRabbitmq(options);
  onTestFinished(() => server.remove());
  return server;
}

/** The URL of an empty virtual host on the shared RabbitMQ. */
export async function place(): Promise<string> {
  const { url, remove } = await rabbitmqPlace();
  onTestFinished(remove);
  return url;
}

/** A connection until the test ends. */
export async function connect(options: DriverOptions | string, logger = new RecordingLogger()): Promise<Parts> {
  const environment = { clock: systemClock, random: Math.random, logger };
  const connection = await rabbitmq(options).connect(environment);
  onTestFinished(() => connection.close());
  return connection as Parts;
}

/** A channel of amqplib's own until the test ends, for what others do to our queues. */
export async function rawChannel(url: string): Promise<Channel> {
  const connection = await connectRaw(url);
  onTestFinished(() => connection.close());
  return connection.createChannel();
}

/** An app until the test ends. Its results are in the memory of this process. */
export function appAt(broker: string, options: TaskwrightOptions = {}): Taskwright {
  const app = new Taskwright({ broker, backend: "memory:", logger: new RecordingLogger(), ...options });
  onTestFinished(() => app.close());
  return app;
}

/** The error with which a promise fails. */
export async function failure(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  );
}

let jobs = 0;

export function job(fields: Partial<OutgoingJob> = {}): OutgoingJob {
  return { id: `job-${++jobs}`, queue: "default", priority: 0, task: "task", body: Buffer.from("body"), ...fields };
}

export function consume(broker: Broker, queues = ["default"]): Promise<Consumer> {
  return broker.consume({ worker: "w", queues, capacity: 100, lease: 30_000, onCancel: () => {} });
}

/** Claims what comes within 5 s. */
export const SOON = { queues: ["default"], max: 10, wait: 5000 } as const;

export function complete(lease: Lease) {
  return { kind: "complete", lease } as const;
}
