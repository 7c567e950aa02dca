import { type AddressInfo, connect as connectTo, createServer, type Server, type Socket } from "node:net";
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

/** Stands before a server, and loses an answer, or all of them, when it is told to. */
export class Relay {
  readonly url: string;
  readonly #listener: Server;
  readonly #sockets = new Set<Socket>();
  readonly #listening = new Set<Socket>();
  #losing: { readonly sign: string; readonly done: () => void } | undefined;

  private constructor(listener: Server) {
    this.#listener = listener;
    this.url = `redis://127.0.0.1:${(listener.address() as AddressInfo).port}`;
  }

  static async before(port: number): Promise<Relay> {
    const listener = createServer();
    await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
    const relay = new Relay(listener);
    listener.on("connection", (client) => relay.#join(client, connectTo(port, "127.0.0.1")));
    onTestFinished(() => relay.#close());
    return relay;
  }

  /**
   * Cuts the connection on which the next request comes that contains `sign`, when the server answers: it has done what it was
   * asked, and its client never learns of it. Resolves then.
   */
  loseAnswerTo(sign: string): Promise<void> {
    return new Promise((done) => {
      this.#losing = { sign, done };
    });
  }

  /** Brings nothing any more to those who listen by now, and leaves their connections as they are. */
  muteListeners(): void {
    for (const server of this.#listening) server.removeAllListeners("data").resume();
  }

  #join(client: Socket, server: Socket): void {
    let lost: (() => void) | undefined;
    client.on("data", (request: Buffer) => {
      if (/\bsubscribe\b/i.test(request.toString("latin1"))) this.#listening.add(server);
      if (this.#losing !== undefined && request.includes(this.#losing.sign)) {
        lost = this.#losing.done;
        this.#losing = undefined;
      }
      server.write(request);
    });
    server.on("data", (answer: Buffer) => {
      if (lost === undefined) return void client.write(answer);
      client.destroy();
      lost();
    });
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(one);
      one.on("error", () => other.destroy());
      one.on("close", () => {
        this.#sockets.delete(one);
        this.#listening.delete(one);
        other.destroy();
      });
    }
  }

  async #close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#listener.close(resolve));
  }
}
