import { maskUrl } from "../config/mask.js";
import { suggestion } from "../config/nearest.js";
import type { Driver } from "../contracts/index.js";
import { ConfigError } from "../job/errors.js";

type FromUrl = (url: string) => Driver;

/** URL schemes, and the driver each one loads. A driver's code is loaded when its scheme is first used. */
const SCHEMES: Readonly<Record<string, () => Promise<FromUrl>>> = {
  memory: async () => (await import("./memory/index.js")).fromUrl,
  sqlite: async () => (await import("./sqlite/index.js")).fromUrl,
  redis: loadRedis,
  rediss: loadRedis,
  valkey: loadRedis,
  valkeys: loadRedis,
  "redis+unix": loadRedis,
  "redis+sentinel": loadRedis,
  "rediss+sentinel": loadRedis,
  "redis+cluster": loadRedis,
  "rediss+cluster": loadRedis,
  postgres: loadPostgres,
  postgresql: loadPostgres,
  mysql: loadMysql,
  mariadb: loadMysql,
  amqp: loadRabbitmq,
  amqps: loadRabbitmq,
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

/** The URL schemes that this version understands. */
export const DRIVER_SCHEMES: readonly string[] = Object.keys(SCHEMES);

/**
 * The driver that a URL names.
 *
 * @throws ConfigError for a URL without a known scheme.
 */
export async function driverFromUrl(url: string): Promise<Driver> {
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
  return (await load())(url);
}
