import type { Settings } from "./config/resolve.js";
import type { Connections, OpenDriver } from "./connections.js";
import type { Clock, Coordinator, Driver, Logger, Random } from "./contracts/index.js";
import type { Events } from "./events.js";
import type { Inspect } from "./inspect/inspect.js";
import type { Codec, ErrorRegistry } from "./job/codec/index.js";
import type { ResolvedOptions } from "./job/options.js";
import type { MiddlewareStack } from "./middleware/stack.js";
import { Route } from "./route.js";
import { type AnyTask, DEFINITION } from "./task.js";

/** What an app lends to all its parts. */
export interface Services {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly events: Events;
  readonly errors: ErrorRegistry;
  readonly middleware: MiddlewareStack;
  readonly tasks: ReadonlyMap<string, AnyTask>;
  /** @param now - Epoch ms. */
  readonly generateId: (now: number) => string;
}

/** What exists once an app is connected. */
export interface Runtime extends Services {
  readonly settings: Settings;
  /** Writes in the app's codec, reads every codec. */
  readonly codec: Codec;
  readonly route: Route;
  readonly routes: Routes;
  readonly inspect: Inspect;
  /** Shared state, where the backend (or else the broker) has it. */
  readonly coordinator: Coordinator | undefined;
}

/** The routes of an app: its own, and those that single calls ask for. */
export class Routes {
  readonly #connections: Connections;
  readonly #clock: Clock;
  readonly #queues: () => readonly string[];
  readonly #known = new Map<string | Driver, Map<string | Driver | undefined, Promise<Route>>>();

  /** @param queues - Names those that the app knows. */
  constructor(connections: Connections, clock: Clock, queues: () => readonly string[]) {
    this.#connections = connections;
    this.#clock = clock;
    this.#queues = queues;
  }

  /** The route to a broker and a backend; without a backend, the broker's own driver is one if it can. */
  open(broker: string | Driver, backend: string | Driver | undefined): Promise<Route> {
    const byBackend = this.#known.get(broker) ?? new Map<string | Driver | undefined, Promise<Route>>();
    this.#known.set(broker, byBackend);
    const known = byBackend.get(backend);
    if (known !== undefined) return known;
    const opening = this.#open(broker, backend);
    byBackend.set(backend, opening);
    opening.catch(() => byBackend.delete(backend));
    return opening;
  }

  /** Ends the waits of all handles on jobs of these routes. */
  async close(): Promise<void> {
    const opened = [...this.#known.values()].flatMap((byBackend) => [...byBackend.values()]);
    for (const result of await Promise.allSettled(opened)) if (result.status === "fulfilled") result.value.close();
  }

  async #open(broker: string | Driver, backend: string | Driver | undefined): Promise<Route> {
    const at = await this.#connections.open(broker);
    return new Route(at, await this.#openBackend(at, backend), this.#clock, this.#queues);
  }

  async #openBackend(at: OpenDriver, backend: string | Driver | undefined): Promise<OpenDriver | undefined> {
    if (backend !== undefined) return this.#connections.open(backend);
    return at.connection.backend === undefined ? undefined : at;
  }
}

/** The route of one call: the app's own, unless its options name another place. */
export function routeFor(runtime: Runtime, options: ResolvedOptions): Route | Promise<Route> {
  if (options.broker === undefined && options.backend === undefined) return runtime.route;
  const { broker, backend } = runtime.settings;
  return runtime.routes.open(
    options.broker ?? broker,
    options.backend ?? (options.broker === undefined ? backend : undefined),
  );
}

/** The queues that an app knows by name: those of its tasks and of its workers. */
export function queuesOf({ defaults, worker }: Settings, tasks: ReadonlyMap<string, AnyTask>): string[] {
  const ofTasks = [...tasks.values()].flatMap((task) => task[DEFINITION].options.queue ?? []);
  return [...new Set([defaults.queue, ...worker.queues.map(({ name }) => name), ...ofTasks])];
}
