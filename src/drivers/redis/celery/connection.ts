import type { Connection, DriverEnvironment } from "../../../contracts/driver.js";
import { RedisCoordinator } from "../coordinator.js";
import type { Server } from "../server.js";
import type { Subscriptions } from "../subscriptions.js";
import { CeleryBroker } from "./broker.js";
import { KombuExchanges } from "./exchanges.js";
import { KombuQueueInspector } from "./queue-inspector.js";
import { CeleryJoiner, CeleryNotifier, CeleryResults } from "./results.js";

/** The contracts on Celery's keys. The registry of workers and the progress of jobs are in keys of our own beside them. */
export function celeryContracts(
  server: Server,
  subscriptions: Subscriptions,
  { visibilityTimeout, db }: { readonly visibilityTimeout: number; readonly db: number },
  { clock, random }: DriverEnvironment,
): Omit<Connection, "ping" | "close"> & { readonly broker: CeleryBroker } {
  return {
    broker: new CeleryBroker({ server, clock, random, visibility: visibilityTimeout / 1000 }),
    backend: new CeleryResults(server),
    coordinator: new RedisCoordinator(server),
    notifier: new CeleryNotifier(subscriptions),
    joiner: new CeleryJoiner(server),
    queueInspector: new KombuQueueInspector(server),
    exchanges: new KombuExchanges(server, subscriptions, db),
  };
}
