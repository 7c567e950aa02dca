import { type AddressInfo, connect as connectTo, createServer, type Server, type Socket } from "node:net";
import { Taskwright, type TaskwrightOptions } from "taskwright";
import { type RabbitmqOptions as DriverOptions, rabbitmq } from "taskwright/drivers/rabbitmq";
import { onTestFinished } from "vitest";
import { systemClock } from "../../../src/clock.js";
import type { Broker, Connection, Consumer, Lease, OutgoingJob } from "../../../src/contracts/index.js";
import { RecordingLogger } from "../../core/support.js";
import { type RabbitmqServer, startRabbitmq } from "../../support/rabbitmq/server.js";
import { rabbitmqPlace } from "../../support/rabbitmq/shared.js";

/** What a connection to RabbitMQ has. */
export type Parts = Connection & Required<Pick<Connection, "broker" | "queueInspector">>;

/** A RabbitMQ of the test's own, which the test may hurt. */
export async function serve(config: readonly string[] = []): Promise<RabbitmqServer> {
  const server = await startRabbitmq({ config });
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
export async function connect(options: DriverOptions | string): Promise<Parts> {
  const environment = { clock: systemClock, random: Math.random, logger: new RecordingLogger() };
  const connection = await rabbitmq(options).connect(environment);
  onTestFinished(() => connection.close());
  return connection as Parts;
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

/** Stands before a server, and holds back or cuts what goes through it. */
export class Relay {
  readonly url: string;
  readonly #listener: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(listener: Server) {
    this.#listener = listener;
    this.url = `amqp://guest:guest@127.0.0.1:${(listener.address() as AddressInfo).port}`;
  }

  static async before(port: number): Promise<Relay> {
    const listener = createServer();
    await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
    const relay = new Relay(listener);
    listener.on("connection", (client) => relay.#join(client, connectTo(port, "127.0.0.1")));
    onTestFinished(() => relay.close());
    return relay;
  }

  /** Ends every connection at once, without a word. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** From now on nothing passes on the connections that there are, though they stay open: a network that swallows. */
  swallow(): void {
    for (const socket of this.#sockets) socket.pause();
  }

  #join(client: Socket, server: Socket): void {
    client.pipe(server).pipe(client);
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(one);
      one.on("error", () => other.destroy());
      one.on("close", () => {
        this.#sockets.delete(one);
        other.destroy();
      });
    }
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#listener.close(resolve));
  }
}
