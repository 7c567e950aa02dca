import type { Random } from "../../contracts/clock.js";
import type { Connection, DriverEnvironment, Ping } from "../../contracts/driver.js";
import { ConfigError } from "../../job/errors.js";
import { RedisBackend } from "./backend.js";
import { RedisBroadcaster } from "./broadcaster.js";
import { RedisBroker } from "./broker.js";
import { celeryContracts } from "./celery/connection.js";
import { openIoredis } from "./client/ioredis.js";
import type { Shared } from "./consumer.js";
import { RedisCoordinator } from "./coordinator.js";
import { parseInfo, type ServerInfo, warningsOf } from "./info.js";
import { RedisInspector } from "./inspector.js";
import { RedisNotifier } from "./notifier.js";
import type { Settings } from "./options.js";
import { Server } from "./server.js";
import { Subscriptions } from "./subscriptions.js";

/** The first with `LPOP` of many ids and `ZADD LT`. */
const OLDEST = [6, 2] as const;

/** Connects, makes sure that the server can do what is needed of it, and gives the contracts. */
export async function connect(settings: Settings, environment: DriverEnvironment): Promise<Connection> {
  const { clock, random, logger } = environment;
  const { address, location, prefix, timeout } = settings;
  const db = "duplicate" in address ? databaseOf(address.options) : address.db;
  const server = new Server(await openIoredis(address, { random, timeout }), { location, prefix, db }, clock, timeout);
  try {
    const info = await look(server);
    for (const warning of warningsOf(info)) logger.warn({ location }, warning);
  } catch (error) {
    await server.close();
    throw error;
  }
  const subscriptions = new Subscriptions(server, clock, logger);
  const contracts =
    settings.protocol === "celery"
      ? celeryContracts(server, subscriptions, { visibilityTimeout: settings.visibilityTimeout, db }, environment)
      : nativeContracts({ server, subscriptions, clock, logger }, random);
  return {
    ...contracts,
    ping: () => ping(server),
    close: async () => {
      if (server.closed) return;
      await contracts.broker.close();
      await server.close();
    },
  };
}

function nativeContracts(
  shared: Shared,
  random: Random,
): Omit<Connection, "ping" | "close"> & { readonly broker: RedisBroker } {
  const { server, subscriptions } = shared;
  return {
    broker: new RedisBroker(shared, random),
    backend: new RedisBackend(server),
    coordinator: new RedisCoordinator(server),
    notifier: new RedisNotifier(subscriptions),
    inspector: new RedisInspector(server),
    broadcaster: new RedisBroadcaster(server, subscriptions),
  };
}

async function ping(server: Server): Promise<Ping> {
  const info = await look(server);
  return { server: info.server, time: server.time, warnings: warningsOf(info) };
}

/** What the server is. Learns its clock on the way. */
async function look(server: Server): Promise<ServerInfo> {
  const info = parseInfo(server.expectBytes(await server.command("INFO")).toString());
  const [major, minor] = info.version;
  if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])) {
    throw new ConfigError(
      `${info.server} at ${server.location} is too old: taskwright needs Redis ${OLDEST.join(".")} or later, or Valkey`,
    );
  }
  server.noteVersion(major);
  const time = await server.command("TIME");
  const [seconds, micros] = Array.isArray(time) ? time.map((part) => Number(String(part))) : [];
  server.noteTime((seconds ?? 0) * 1000 + Math.floor((micros ?? 0) / 1000));
  return info;
}

function databaseOf(options: object): number {
  const { db } = options as { db?: unknown };
  return typeof db === "number" ? db : 0;
}
