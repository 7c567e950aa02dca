import type { ConnectionOptions as TlsOptions } from "node:tls";
import type { Host } from "../../common/address.js";

/** Which servers, and how to be let in. */
export interface Address {
  readonly kind: "standalone" | "sentinel" | "cluster";
  /** Of the server, the sentinels, or some nodes of the cluster. Empty with a `path`. */
  readonly nodes: readonly Host[];
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
