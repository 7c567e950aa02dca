import { hostname } from "node:os";
import process from "node:process";
import type { Writable } from "node:stream";
import type { ConnectionOptions as TlsOptions } from "node:tls";
import { MissingDependencyError } from "../../job/errors.js";
import type { Host } from "../common/address.js";
import { gatherWrites } from "./packets.js";

/** Which servers, and how to be let in. */
export interface Address {
  readonly hosts: readonly Host[];
  readonly username: string;
  readonly password: string;
  readonly vhost: string;
  /** Seconds. */
  readonly heartbeat: number;
  readonly tls?: TlsOptions;
}

/** A message as amqplib gives it. */
export interface Message {
  readonly content: Buffer;
  readonly fields: {
    readonly deliveryTag: number;
    readonly redelivered: boolean;
    readonly exchange: string;
    readonly routingKey: string;
  };
  readonly properties: Properties;
}

/** AMQP's basic properties. What was not set is undefined. */
export interface Properties {
  readonly contentType?: unknown;
  readonly contentEncoding?: unknown;
  readonly headers?: Readonly<Record<string, unknown>> | undefined;
  readonly deliveryMode?: unknown;
  readonly priority?: unknown;
  readonly correlationId?: unknown;
  readonly replyTo?: unknown;
  readonly messageId?: unknown;
  readonly timestamp?: unknown;
  readonly type?: unknown;
  readonly userId?: unknown;
  /** How long the message may wait in a queue, in ms, before RabbitMQ drops it. */
  readonly expiration?: unknown;
  readonly appId?: unknown;
}

/** Settings of a queue or exchange. */
export interface Declaration {
  readonly durable: boolean;
  readonly exclusive?: boolean;
  readonly autoDelete?: boolean;
  readonly arguments?: Readonly<Record<string, unknown>>;
}

/** How many messages wait in a queue, not counting those delivered. */
interface QueueState {
  readonly queue: string;
  readonly messageCount: number;
}

/** A channel of amqplib as it is used here; its own types must not be needed to use ours. */
export interface Channel {
  on(event: string, listener: (...args: never[]) => void): unknown;
  assertQueue(queue: string, options: Declaration): Promise<QueueState>;
  /** All that are in hand go back into their queues with `requeue`. */
  nackAll(requeue?: boolean): void;
  checkQueue(queue: string): Promise<QueueState>;
  checkExchange(exchange: string): Promise<unknown>;
  assertExchange(exchange: string, type: string, options: Declaration): Promise<unknown>;
  bindQueue(queue: string, exchange: string, pattern: string): Promise<unknown>;
  bindExchange(destination: string, source: string, pattern: string): Promise<unknown>;
  prefetch(count: number): Promise<unknown>;
  consume(queue: string, onMessage: (message: Message | null) => void): Promise<{ readonly consumerTag: string }>;
  cancel(consumerTag: string): Promise<unknown>;
  get(queue: string): Promise<Message | false>;
  deleteQueue(queue: string): Promise<unknown>;
  purgeQueue(queue: string): Promise<QueueState>;
  ack(message: Pick<Message, "fields">, allUpTo?: boolean): void;
  close(): Promise<void>;
}

/** A channel on which the server confirms what it has taken. */
export interface ConfirmChannel extends Channel {
  publish(
    exchange: string,
    routingKey: string,
    content: Buffer,
    options: object,
    confirmed: (error: Error | null) => void,
  ): boolean;
}

/** A connection of amqplib as it is used here. */
export interface Connection {
  on(event: string, listener: (...args: never[]) => void): unknown;
  createChannel(): Promise<Channel>;
  createConfirmChannel(): Promise<ConfirmChannel>;
  close(): Promise<void>;
  readonly connection: { readonly serverProperties: Readonly<Record<string, unknown>>; readonly stream: Writable };
}

interface Library {
  connect(address: object, options: object): Promise<Connection>;
}

async function load(): Promise<Library> {
  try {
    return (await import("amqplib")) as unknown as Library;
  } catch (error) {
    throw new MissingDependencyError("the rabbitmq driver needs amqplib: run `npm install amqplib`", { cause: error });
  }
}

/**
 * Opens one connection, to the host at `index`.
 *
 * @param role - For RabbitMQ's list of connections.
 * @param timeout - Milliseconds.
 */
export async function openConnection(address: Address, index: number, role: string, timeout: number) {
  const { connect } = await load();
  const { hosts, username, password, vhost, heartbeat, tls } = address;
  const { host, port } = hosts[index % hosts.length] ?? { host: "127.0.0.1", port: 5672 };
  const server = { protocol: tls === undefined ? "amqp" : "amqps", hostname: host, port, username, password };
  const connection = await connect(
    // amqplib decodes the name of the vhost once more.
    { ...server, vhost: encodeURIComponent(vhost), heartbeat },
    {
      ...tls,
      // Without it, the server's delayed acknowledgements of TCP cost 44 ms whenever it had something to say in between.
      noDelay: true,
      timeout,
      clientProperties: { connection_name: `taskwright ${role} ${process.pid}@${hostname()}` },
    },
  );
  gatherWrites(connection.connection.stream);
  return connection;
}
