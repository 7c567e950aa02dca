import { type Capabilities, DEFAULT_CAPABILITIES } from "../../contracts/capabilities.js";
import type { Driver } from "../../contracts/driver.js";
import { connect } from "./connection.js";
import { type RedisOptions, resolveOptions } from "./options.js";

export type { IoredisClient } from "./client/address.js";
export type { RedisOptions } from "./options.js";

const CAPABILITIES: Capabilities = {
  ...DEFAULT_CAPABILITIES,
  durability: "server-memory",
  pipelining: true,
  broadcast: true,
};

/** What kombu's way of using Redis allows: nobody can find a job in its lists by id. */
const CELERY_CAPABILITIES: Capabilities = {
  ...CAPABILITIES,
  pipelining: false,
  idempotentIds: false,
  cancel: false,
  inspect: false,
  broadcast: false,
};

/**
 * Jobs, outcomes and shared state in Redis 6.2 or later, or Valkey: one server, one watched by sentinels, or a cluster.
 * It needs `npm install ioredis`.
 *
 * An acknowledged job is in the server's memory. With `appendonly yes` it survives the server's restart, with
 * `appendfsync always` also a crash of its machine.
 *
 * @param options See {@link RedisOptions}; text is the URL.
 * @throws {ConfigError} when an option is wrong.
 *
 * @example
 * import { Taskwright } from "taskwright";
 * import { redis } from "taskwright/drivers/redis";
 *
 * const app = new Taskwright({ broker: redis({ url: "redis://localhost:6379", prefix: "shop" }) });
 */
export function redis(options: RedisOptions | string = {}): Driver {
  const settings = resolveOptions(typeof options === "string" ? { url: options } : options);
  const { protocol } = settings;
  return {
    name: "redis",
    location: settings.location,
    protocol,
    capabilities: protocol === "celery" ? CELERY_CAPABILITIES : CAPABILITIES,
    maxBytes: settings.maxBytes,
    connect: (environment) => connect(settings, environment),
  };
}

/**
 * The redis driver for a URL, in the forms of {@link RedisOptions.url}.
 *
 * @throws {ConfigError} when the URL has another form or another key.
 */
export function fromUrl(url: string, protocol: "taskwright" | "celery" = "taskwright"): Driver {
  return redis({ url, protocol });
}
