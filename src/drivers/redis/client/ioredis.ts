import type { ConnectionOptions as TlsOptions } from "node:tls";
import type { Random } from "../../../contracts/clock.js";
import { MissingDependencyError } from "../../../job/errors.js";
import { isDenial } from "../errors.js";
import type { OnMessage, RedisClient } from "./client.js";

/** Which servers, and how to be let in. */
export interface Address {
  readonly kind: "standalone" | "sentinel" | "cluster";
  /** Of the server, the sentinels, or some nodes of the cluster. Empty with a `path`. */
  readonly nodes: readonly { readonly host: string; readonly port: number }[];
  /** A unix socket. */
  readonly path?: string;
  /** The name by which sentinels know the primary. */
  readonly primary?: string;
  readonly username?: string;
  readonly password?: string;
  readonly sentinelPassword?: string;
  readonly db: number;
  readonly tls?: TlsOptions;
}

/**
 * What is used of an ioredis client that you opened: only what it connects to. taskwright opens connections of its own with
 * the same options, since it needs them to behave in a certain way.
 */
export interface IoredisClient {
  readonly status: string;
  readonly isCluster?: boolean;
  readonly options: object;
  duplicate(...overrides: never[]): unknown;
}

/** ioredis as it is used here; its own types must not be needed to use ours. */
interface Ioredis {
  readonly status: string;
  connect(): Promise<void>;
  disconnect(): void;
  on(event: string, listener: (...args: never[]) => void): unknown;
  off(event: string, listener: (...args: never[]) => void): unknown;
  duplicate(overrides?: object): Ioredis;
  readonly options: { host?: string; port?: number };
  callBuffer(command: string, ...args: (string | Buffer)[]): Promise<unknown>;
  subscribe(...channels: string[]): Promise<unknown>;
  unsubscribe(...channels: string[]): Promise<unknown>;
  /** Of a cluster only. */
  nodes?(): Ioredis[];
}

/** A `Redis` takes options to override, a `Cluster` nodes before them. */
interface Duplicating {
  duplicate(...overrides: object[]): Ioredis;
}

interface Behaviour {
  readonly [option: string]: unknown;
  readonly retryStrategy: (tries: number) => number;
}

interface Library {
  readonly Redis: new (options: object) => Ioredis;
  readonly Cluster: new (nodes: readonly object[], options: object) => Ioredis;
}

/** Milliseconds between tries to connect: 50, doubling up to 2 s, each with up to half of jitter. */
const FIRST_RETRY = 50;
const LONGEST_RETRY = 2000;

/** Opens connections of ioredis. They connect by themselves, again and again, until `close`. */
export async function openIoredis(address: Address | IoredisClient, random: Random): Promise<RedisClient> {
  // A client brings its library with it.
  const commands = "duplicate" in address ? likeClient(address, random) : toAddress(await load(), address, random);
  return new IoredisAdapter(commands, random);
}

async function load(): Promise<Library> {
  try {
    return (await import("ioredis")) as unknown as Library;
  } catch (error) {
    throw new MissingDependencyError("the redis driver needs ioredis: run `npm install ioredis`", { cause: error });
  }
}

/** The connection for commands, not open yet. */
function toAddress({ Redis, Cluster }: Library, address: Address, random: Random): Ioredis {
  const options = { ...redisOptions(address), ...behaviourOf(random) };
  return address.kind === "cluster" ? new Cluster(address.nodes, clusterOptions(options)) : new Redis(options);
}

/** The same with all that a client was told of its servers, such as `natMap` and `dnsLookup`. */
function likeClient(client: IoredisClient, random: Random): Ioredis {
  const behaviour = behaviourOf(random);
  const { duplicate } = client as unknown as Duplicating;
  return client.isCluster === true
    ? duplicate.call(client, [], clusterOptions(behaviour))
    : duplicate.call(client, behaviour);
}

function redisOptions({ kind, nodes, path, primary, sentinelPassword, db, tls, ...user }: Address): object {
  const common = { ...user, db, ...(tls !== undefined && { tls }) };
  if (kind === "cluster") return { ...user, ...(tls !== undefined && { tls }) };
  if (path !== undefined) return { ...common, path };
  if (kind === "standalone") return { ...common, ...nodes[0] };
  return {
    ...common,
    sentinels: nodes,
    name: primary,
    ...(sentinelPassword !== undefined && { sentinelPassword }),
    ...(tls !== undefined && { sentinelTLS: tls, enableTLSForSentinelMode: true }),
  };
}

/** Each call decides for itself what to do about a failure, so nothing is queued, sent again or swallowed underneath. */
function behaviourOf(random: Random): Behaviour {
  const retryStrategy = (tries: number) => backoff(tries, random);
  return {
    lazyConnect: true,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    // Commands that were sent fail when their connection breaks; else ioredis would forget them, and they never settle.
    maxRetriesPerRequest: 0,
    // It asks again after the server's own estimate, up to this.
    maxLoadingRetryTime: LONGEST_RETRY,
    connectTimeout: 5000,
    keepAlive: 10_000,
    retryStrategy,
    sentinelRetryStrategy: retryStrategy,
    // A replica that was the primary refuses writes: the primary has to be looked up again.
    reconnectOnError: (error: Error) => error.message.includes("READONLY"),
    // What RESP3 adds is of no use here, and proxies in front of Redis are often older.
    protocol: 2,
    // A client's own would change the keys and channels, and what answers look like.
    keyPrefix: "",
    stringNumbers: false,
    readOnly: false,
    enableAutoPipelining: false,
  };
}

function backoff(tries: number, random: Random): number {
  return Math.min(LONGEST_RETRY, FIRST_RETRY * 2 ** Math.min(tries, 10)) * (1 - random() / 2);
}

function clusterOptions(redisOptions: Behaviour): object {
  return {
    redisOptions,
    lazyConnect: true,
    // Connections to nodes are opened by their first command: without it, the second would fail until they are open.
    enableOfflineQueue: true,
    clusterRetryStrategy: redisOptions.retryStrategy,
    // Zero: a command whose connection broke may have run, and is not sent again.
    retryDelayOnFailover: 0,
    slotsRefreshTimeout: 5000,
    keyPrefix: "",
    enableAutoPipelining: false,
  };
}

/**
 * The connection for messages beside one for commands, not open yet. That of a cluster is to any of its nodes, which pass
 * messages on to each other, and each try to connect again is to any of those known then.
 */
function messagesBeside(commands: Ioredis, random: Random): Ioredis {
  // Nodes of a cluster are known once it has been ready.
  const messages: Ioredis = (pick(commands, random) ?? commands).duplicate({
    ...behaviourOf(random),
    retryStrategy: (tries: number) => {
      const { host, port } = (pick(commands, random) ?? messages).options;
      Object.assign(messages.options, { host, port });
      return backoff(tries, random);
    },
  });
  return messages;
}

function pick(cluster: Ioredis, random: Random): Ioredis | undefined {
  const nodes = cluster.nodes?.() ?? [];
  return nodes[Math.floor(random() * nodes.length)];
}

class IoredisAdapter implements RedisClient {
  readonly #commands: Ioredis;
  readonly #random: Random;
  #messages: Ioredis | undefined;
  #onMessage: OnMessage = () => {};
  #onGap: () => void = () => {};
  #lastError: Error | undefined;

  constructor(commands: Ioredis, random: Random) {
    this.#commands = commands;
    this.#random = random;
    this.#watch(commands);
    // How it ends is told by events.
    commands.connect().catch(() => {});
  }

  get cluster(): boolean {
    return this.#commands.nodes !== undefined;
  }

  get ready(): boolean {
    return this.#commands.status === "ready";
  }

  whenReady(signal: AbortSignal): Promise<void> {
    return whenReady(this.#commands, signal, () => this.#lastError);
  }

  send(command: string, args: readonly (string | Buffer)[]): Promise<unknown> {
    return this.#commands.callBuffer(command, ...args);
  }

  listen(onMessage: OnMessage, onGap: () => void): void {
    this.#onMessage = onMessage;
    this.#onGap = onGap;
  }

  async subscribe(channels: readonly string[]): Promise<void> {
    const signal = AbortSignal.timeout(10_000);
    if (this.#messages === undefined) await this.whenReady(signal);
    this.#messages ??= this.#openMessages();
    const messages = this.#messages;
    await whenReady(messages, signal, () => this.#lastError);
    await messages.subscribe(...channels);
  }

  async unsubscribe(channels: readonly string[]): Promise<void> {
    if (this.#messages?.status === "ready") await this.#messages.unsubscribe(...channels);
  }

  another(): RedisClient {
    return new IoredisAdapter(this.#commands.duplicate(behaviourOf(this.#random)), this.#random);
  }

  async close(): Promise<void> {
    this.#commands.disconnect();
    this.#messages?.disconnect();
  }

  #openMessages(): Ioredis {
    const messages = messagesBeside(this.#commands, this.#random);
    let gap = false;
    messages.on("ready", () => {
      // There was one before, so every subscription is missing from this one.
      if (gap) this.#onGap();
      gap = true;
    });
    messages.on("messageBuffer", (channel: Buffer, message: Buffer) => this.#onMessage(channel.toString(), message));
    this.#watch(messages);
    messages.connect().catch(() => {});
    return messages;
  }

  /** An error nobody listens to would end the process. */
  #watch(connection: Ioredis): void {
    connection.on("error", (error: Error) => {
      this.#lastError = error;
    });
  }
}

async function whenReady(connection: Ioredis, signal: AbortSignal, lastError: () => Error | undefined): Promise<void> {
  if (connection.status === "ready") return;
  signal.throwIfAborted();
  await new Promise<void>((resolve, reject) => {
    const ready = () => settle(resolve);
    const end = () => settle(() => reject(lastError() ?? new Error("the connection is closed")));
    const abort = () => settle(() => reject(lastError() ?? signal.reason));
    // Waiting does not make a password right.
    const refused = (error: Error) => isDenial(error) && settle(() => reject(error));
    const settle = (done: () => void) => {
      connection.off("ready", ready);
      connection.off("end", end);
      connection.off("error", refused);
      signal.removeEventListener("abort", abort);
      done();
    };
    connection.on("ready", ready);
    connection.on("end", end);
    connection.on("error", refused);
    signal.addEventListener("abort", abort, { once: true });
  });
}
