import type { Random } from "../../../contracts/clock.js";
import { MissingDependencyError } from "../../../job/errors.js";
import { isDenial } from "../errors.js";
import type { Address, IoredisClient } from "./address.js";
import type { OnMessage, RedisClient } from "./client.js";
import { behaviourOf, clusterOptions, reconnectDelay, redisOptions, type Terms } from "./ioredis-options.js";

/** ioredis as it is used here; its own types must not be needed to use ours. */
interface Ioredis {
  readonly status: string;
  /** Of one server; a cluster has none of its own. */
  readonly stream?: { readonly writable: boolean } | null;
  connect(): Promise<void>;
  disconnect(): void;
  on(event: string, listener: (...args: never[]) => void): unknown;
  off(event: string, listener: (...args: never[]) => void): unknown;
  duplicate(overrides?: object): Ioredis;
  readonly options: { host?: string; port?: number };
  callBuffer(command: string, ...args: (string | Buffer)[]): Promise<unknown>;
  subscribe(...channels: string[]): Promise<unknown>;
  unsubscribe(...channels: string[]): Promise<unknown>;
  ping(): Promise<unknown>;
  /** Of a cluster only. */
  nodes?(): Ioredis[];
}

/** A `Redis` takes options to override, a `Cluster` nodes before them. */
interface Duplicating {
  duplicate(...overrides: object[]): Ioredis;
}

interface Library {
  readonly Redis: new (options: object) => Ioredis;
  readonly Cluster: new (nodes: readonly object[], options: object) => Ioredis;
}

/** Opens connections of ioredis. They connect by themselves, again and again, until `close`. */
export async function openIoredis(address: Address | IoredisClient, terms: Terms): Promise<RedisClient> {
  // A client brings its library with it.
  const commands = "duplicate" in address ? likeClient(address, terms) : toAddress(await load(), address, terms);
  return new IoredisAdapter(commands, terms);
}

async function load(): Promise<Library> {
  try {
    return (await import("ioredis")) as unknown as Library;
  } catch (error) {
    throw new MissingDependencyError("the redis driver needs ioredis: run `npm install ioredis`", { cause: error });
  }
}

/** The connection for commands, not open yet. */
function toAddress({ Redis, Cluster }: Library, address: Address, terms: Terms): Ioredis {
  const options = { ...redisOptions(address), ...behaviourOf(terms) };
  return address.kind === "cluster" ? new Cluster(address.nodes, clusterOptions(options)) : new Redis(options);
}

/** The same with all that a client was told of its servers, such as `natMap` and `dnsLookup`. */
function likeClient(client: IoredisClient, terms: Terms): Ioredis {
  const behaviour = behaviourOf(terms);
  const { duplicate } = client as unknown as Duplicating;
  return client.isCluster === true
    ? duplicate.call(client, [], clusterOptions(behaviour))
    : duplicate.call(client, behaviour);
}

/**
 * The connection for messages beside one for commands, not open yet. That of a cluster is to any of its nodes, which pass
 * messages on to each other, and each try to connect again is to any of those known then.
 */
function messagesBeside(commands: Ioredis, terms: Terms): Ioredis {
  const { random } = terms;
  // Nodes of a cluster are known once it has been ready.
  const messages: Ioredis = (pick(commands, random) ?? commands).duplicate({
    ...behaviourOf(terms),
    retryStrategy: (tries: number) => {
      const { host, port } = (pick(commands, random) ?? messages).options;
      Object.assign(messages.options, { host, port });
      return reconnectDelay(tries, random);
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
  readonly #terms: Terms;
  #messages: Ioredis | undefined;
  #onMessage: OnMessage = () => {};
  #onGap: () => void = () => {};
  #lastError: Error | undefined;

  constructor(commands: Ioredis, terms: Terms) {
    this.#commands = commands;
    this.#terms = terms;
    this.#watch(commands);
    // How it ends is told by events.
    commands.connect().catch(() => {});
  }

  get cluster(): boolean {
    return this.#commands.nodes !== undefined;
  }

  get ready(): boolean {
    return isReady(this.#commands);
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

  async subscribe(channels: readonly string[], signal: AbortSignal): Promise<void> {
    if (this.#messages === undefined) await this.whenReady(signal);
    this.#messages ??= this.#openMessages();
    const messages = this.#messages;
    await whenReady(messages, signal, () => this.#lastError);
    await answered(messages.subscribe(...channels), signal);
  }

  async probe(signal: AbortSignal): Promise<void> {
    // One that is silent is ended by the limit of its socket, as a command's would be.
    if (this.#messages && isReady(this.#messages)) await answered(this.#messages.ping(), signal);
  }

  async unsubscribe(channels: readonly string[]): Promise<void> {
    if (this.#messages && isReady(this.#messages)) await this.#messages.unsubscribe(...channels);
  }

  another(): RedisClient {
    return new IoredisAdapter(this.#commands.duplicate(behaviourOf(this.#terms)), this.#terms);
  }

  async close(): Promise<void> {
    this.#commands.disconnect();
    this.#messages?.disconnect();
  }

  #openMessages(): Ioredis {
    const messages = messagesBeside(this.#commands, this.#terms);
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

/** The answer, unless the signal aborts before it comes. */
async function answered(answer: Promise<unknown>, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  await new Promise<void>((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    answer.then(() => resolve(), reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

/** A connection that was just cut says for a moment more that it is ready, and refuses whatever is to be sent. */
function isReady({ status, stream }: Ioredis): boolean {
  return status === "ready" && stream?.writable !== false;
}

async function whenReady(connection: Ioredis, signal: AbortSignal, lastError: () => Error | undefined): Promise<void> {
  if (isReady(connection)) return;
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
