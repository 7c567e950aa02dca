import type { ConnectionOptions as TlsOptions } from "node:tls";
import type { Random } from "../../../contracts/clock.js";
import { MissingDependencyError } from "../../../job/errors.js";
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
  callBuffer(command: string, ...args: (string | Buffer)[]): Promise<unknown>;
  subscribe(...channels: string[]): Promise<unknown>;
  unsubscribe(...channels: string[]): Promise<unknown>;
  /** Of a cluster only. */
  nodes?(role: "master"): { readonly options: object }[];
}

interface Library {
  readonly Redis: new (options: object) => Ioredis;
  readonly Cluster: new (nodes: readonly object[], options: object) => Ioredis;
}

/** Milliseconds between tries to connect: 50, doubling up to 2 s, each with up to half of jitter. */
const FIRST_RETRY = 50;
const LONGEST_RETRY = 2000;

/** Loads ioredis and opens its connections. They connect by themselves, again and again, until `close`. */
export async function openIoredis(address: Address | IoredisClient, random: Random): Promise<RedisClient> {
  return new IoredisAdapter(makerOf(await load(), address, random), random);
}

async function load(): Promise<Library> {
  try {
    return (await import("ioredis")) as unknown as Library;
  } catch (error) {
    throw new MissingDependencyError("the redis driver needs ioredis: run `npm install ioredis`", { cause: error });
  }
}

/** Makes connections that are not open yet. */
interface Maker {
  readonly cluster: boolean;
  commands(): Ioredis;
  /** The connection for messages. That of a cluster is to one of its nodes, `known` by the other connection. */
  messages(known: Ioredis): Ioredis;
}

function makerOf({ Redis, Cluster }: Library, address: Address | IoredisClient, random: Random): Maker {
  const behaviour = behaviourOf(random);
  if ("duplicate" in address) return duplicating({ Redis, Cluster }, address, behaviour);
  const redis = redisOptions(address);
  if (address.kind !== "cluster") {
    const make = () => new Redis({ ...redis, ...behaviour });
    return { cluster: false, commands: make, messages: make };
  }
  return clusterMaker({ Redis, Cluster }, address.nodes, redis, behaviour);
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
function behaviourOf(random: Random): object {
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
  };
}

function backoff(tries: number, random: Random): number {
  return Math.min(LONGEST_RETRY, FIRST_RETRY * 2 ** Math.min(tries, 10)) * (1 - random() / 2);
}

function clusterMaker({ Redis, Cluster }: Library, nodes: readonly object[], redis: object, behaviour: object): Maker {
  const { retryStrategy, ...rest } = behaviour as { retryStrategy: unknown };
  const options = {
    redisOptions: { ...redis, ...rest },
    lazyConnect: true,
    enableOfflineQueue: false,
    clusterRetryStrategy: retryStrategy,
    // Zero: a command whose connection broke may have run, and is not sent again.
    retryDelayOnFailover: 0,
    slotsRefreshTimeout: 5000,
  };
  return {
    cluster: true,
    commands: () => new Cluster(nodes, options),
    messages: (known) => {
      const primaries = known.nodes?.("master") ?? [];
      const node = primaries[Math.floor(Math.random() * primaries.length)];
      // Of a node that goes away no more is heard: the next connection is to another one.
      return new Redis({ ...redis, ...nodes[0], ...hostOf(node?.options), ...rest, retryStrategy: () => null });
    },
  };
}

function hostOf(options: object = {}): object {
  const { host, port } = options as { host?: string; port?: number };
  return host === undefined ? {} : { host, port };
}

function duplicating({ Redis, Cluster }: Library, client: IoredisClient, behaviour: object): Maker {
  if (client.isCluster !== true) {
    const make = () => new Redis({ ...client.options, ...behaviour });
    return { cluster: false, commands: make, messages: make };
  }
  const { redisOptions: redis = {} } = client.options as { redisOptions?: object };
  const { startupNodes: nodes = [] } = client as unknown as { startupNodes?: object[] };
  return clusterMaker({ Redis, Cluster }, nodes.map(nodeOf), redis, behaviour);
}

/** Nodes may be given as URLs, port numbers or objects; ioredis takes all of them. */
function nodeOf(node: unknown): object {
  return node as object;
}

class IoredisAdapter implements RedisClient {
  readonly #maker: Maker;
  readonly #random: Random;
  readonly #commands: Ioredis;
  #messages: Ioredis | undefined;
  #onMessage: OnMessage = () => {};
  #onGap: () => void = () => {};
  #lastError: Error | undefined;
  #tries = 0;
  #closed = false;

  constructor(maker: Maker, random: Random) {
    this.#maker = maker;
    this.#random = random;
    this.#commands = maker.commands();
    this.#watch(this.#commands);
    // How it ends is told by events.
    this.#commands.connect().catch(() => {});
  }

  get cluster(): boolean {
    return this.#maker.cluster;
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
    this.#messages ??= this.#openMessages(false);
    const messages = this.#messages;
    if (messages.status !== "ready") await whenReady(messages, AbortSignal.timeout(10_000), () => this.#lastError);
    await messages.subscribe(...channels);
  }

  async unsubscribe(channels: readonly string[]): Promise<void> {
    if (this.#messages?.status === "ready") await this.#messages.unsubscribe(...channels);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#commands.disconnect();
    this.#messages?.disconnect();
  }

  /** `again`: there was one before, so every subscription is missing from it. */
  #openMessages(again: boolean): Ioredis {
    const messages = this.#maker.messages(this.#commands);
    let gap = again;
    messages.on("ready", () => {
      this.#tries = 0;
      if (gap) this.#onGap();
      gap = true;
    });
    messages.on("messageBuffer", (channel: Buffer, message: Buffer) => this.#onMessage(channel.toString(), message));
    if (this.cluster) messages.on("end", () => this.#reopenMessages());
    this.#watch(messages);
    messages.connect().catch(() => {});
    return messages;
  }

  #reopenMessages(): void {
    if (this.#closed) return;
    const timer = setTimeout(
      () => {
        if (!this.#closed) this.#messages = this.#openMessages(true);
      },
      backoff(this.#tries++, this.#random),
    );
    timer.unref();
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
    const settle = (done: () => void) => {
      connection.off("ready", ready);
      connection.off("end", end);
      signal.removeEventListener("abort", abort);
      done();
    };
    connection.on("ready", ready);
    connection.on("end", end);
    signal.addEventListener("abort", abort, { once: true });
  });
}
