import { maskUrl } from "../config/mask.js";
import { suggestion } from "../config/nearest.js";
import type { Driver } from "../contracts/index.js";
import { ConfigError } from "../job/errors.js";

type Protocol = NonNullable<Driver["protocol"]>;
type FromUrl = (url: string, protocol?: Protocol) => Driver;

/**
 * URL schemes, and the driver each one loads, the usual ones first, as they are told to whoever writes another. A driver's code is
 * loaded when its scheme is first used.
 */
const SCHEMES: Readonly<Record<string, () => Promise<FromUrl>>> = {
  memory: async () => (await import("./memory/index.js")).fromUrl,
  sqlite: async () => (await import("./sqlite/index.js")).fromUrl,
  redis: loadRedis,
  rediss: loadRedis,
  postgres: loadPostgres,
  postgresql: loadPostgres,
  mysql: loadMysql,
  mariadb: loadMysql,
  amqp: loadRabbitmq,
  amqps: loadRabbitmq,
  valkey: loadRedis,
  valkeys: loadRedis,
  "redis+unix": loadRedis,
  "redis+sentinel": loadRedis,
  "rediss+sentinel": loadRedis,
  "redis+cluster": loadRedis,
  "rediss+cluster": loadRedis,
};

async function loadRedis(): Promise<FromUrl> {
  return (await import("./redis/index.js")).fromUrl;
}

async function loadPostgres(): Promise<FromUrl> {
  return (await import("./postgres/index.js")).fromUrl;
}

async function loadMysql(): Promise<FromUrl> {
  return (await import("./mysql/index.js")).fromUrl;
}

async function loadRabbitmq(): Promise<FromUrl> {
  return (await import("./rabbitmq/index.js")).fromUrl;
}

/** What Celery's messages can go through: kombu's way of using Redis is not for clusters. */
const CELERY_SCHEMES: readonly string[] = ["redis", "rediss", "valkey", "valkeys", "redis+unix", "amqp", "amqps"];

/** The URL schemes that this version understands. */
export const DRIVER_SCHEMES: readonly string[] = Object.keys(SCHEMES);

/**
 * The driver that a URL names.
 *
 * @param protocol - Whose messages it is to move.
 * @throws ConfigError for a URL without a known scheme, or one that does not carry the protocol.
 */
export async function driverFromUrl(url: string, protocol: Protocol = "taskwright"): Promise<Driver> {
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(url)?.[1]?.toLowerCase();
  if (scheme === undefined) {
    throw new ConfigError(`"${maskUrl(url)}" is not a URL: it needs a scheme, as in sqlite:./taskwright.db`);
  }
  const load = Object.hasOwn(SCHEMES, scheme) ? SCHEMES[scheme] : undefined;
  if (load === undefined) {
    throw new ConfigError(
      `there is no driver for "${scheme}:" in ${maskUrl(url)}${suggestion(scheme, DRIVER_SCHEMES)}`,
    );
  }
  if (protocol === "celery" && !CELERY_SCHEMES.includes(scheme)) {
    throw new ConfigError(
      `${maskUrl(url)} cannot be used with protocol: "celery": Celery's messages go through ${CELERY_SCHEMES.map((one) => `${one}:`).join(", ")}`,
    );
  }
  return (await load())(url, protocol);
}
