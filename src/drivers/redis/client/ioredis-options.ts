import type { Random } from "../../../contracts/clock.js";
import type { Address } from "./address.js";

/** What all connections of one driver are opened with. */
export interface Terms {
  readonly random: Random;
  /** Milliseconds in which the server has to answer. */
  readonly timeout: number;
}

/** What every connection does alike. */
export interface Behaviour {
  readonly [option: string]: unknown;
  readonly retryStrategy: (tries: number) => number;
}

/** Milliseconds between tries to connect: 50, doubling up to 2 s, each with up to half of jitter. */
const FIRST_RETRY = 50;
const LONGEST_RETRY = 2000;

/** Where a connection goes. */
export function redisOptions({ kind, nodes, path, primary, sentinelPassword, db, tls, ...user }: Address): object {
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
export function behaviourOf({ random, timeout }: Terms): Behaviour {
  const retryStrategy = (tries: number) => reconnectDelay(tries, random);
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
    // A server that answers nothing for so long may hang for ever, or have been replaced: its connection is opened again.
    socketTimeout: timeout,
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

/** Milliseconds until a connection is tried again. */
export function reconnectDelay(tries: number, random: Random): number {
  return Math.min(LONGEST_RETRY, FIRST_RETRY * 2 ** Math.min(tries, 10)) * (1 - random() / 2);
}

/** The same for all nodes of a cluster. */
export function clusterOptions(redisOptions: Behaviour): object {
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
