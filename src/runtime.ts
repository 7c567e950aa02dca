import type { Settings } from "./config/resolve.js";
import type { Connections, OpenDriver } from "./connections.js";
import type { Clock, Coordinator, Driver, Logger, Random } from "./contracts/index.js";
import type { Events } from "./events.js";
import type { Inspect } from "./inspect/inspect.js";
import type { Codec, ErrorRegistry } from "./job/codec/index.js";
import { ConfigError } from "./job/errors.js";
import type { ResolvedOptions } from "./job/options.js";
import type { MiddlewareStack } from "./middleware/stack.js";
import type { Protocol } from "./protocol.js";
import { isReplies } from "./replies.js";
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

/** Where jobs and outcomes go, and how they are written. */
export interface Way {
  readonly protocol: Protocol["name"];
  readonly broker: string | Driver;
  /** Absent: the broker's own, where it has one. */
  readonly backend: string | Driver | undefined;
}

/** What a call or a queue says of its way. */
type Chosen = { readonly [Key in keyof Way]?: Way[Key] | undefined };

/** Routes to one broker, by protocol and backend. */
type Known = Readonly<Record<Protocol["name"], Map<string | Driver | undefined, Promise<Route>>>>;

/** The protocols, each loaded when it is first spoken, through a broker of this driver. */
export type Protocols = Readonly<Record<Protocol["name"], (broker: Driver) => Promise<Protocol>>>;

/** The routes of an app: its own, and those that single calls ask for. */
export class Routes {
  readonly #connections: Connections;
  readonly #services: Pick<Services, "clock" | "logger">;
  readonly #protocols: Protocols;
  readonly #queues: (way: Way) => readonly string[];
  readonly #known = new Map<string | Driver, Known>();

  /** @param queues - Names those that the app knows and that may be at the end of a way. */
  constructor(
    connections: Connections,
    services: Pick<Services, "clock" | "logger">,
    protocols: Protocols,
    queues: (way: Way) => readonly string[],
  ) {
    this.#connections = connections;
    this.#services = services;
    this.#protocols = protocols;
    this.#queues = queues;
  }

  /** The route to a broker and a backend; without a backend, the broker's own driver is one if it can. */
  open({ protocol, broker, backend }: Way): Promise<Route> {
    const known: Known = this.#known.get(broker) ?? { taskwright: new Map(), celery: new Map() };
    this.#known.set(broker, known);
    const opened = known[protocol].get(backend);
    if (opened !== undefined) return opened;
    const opening = this.#open({ protocol, broker, backend });
    known[protocol].set(backend, opening);
    opening.catch(() => known[protocol].delete(backend));
    return opening;
  }

  /** Ends the waits of all handles on jobs of these routes. */
  async close(): Promise<void> {
    const opened = [...this.#known.values()].flatMap(({ taskwright, celery }) => [
      ...taskwright.values(),
      ...celery.values(),
    ]);
    for (const result of await Promise.allSettled(opened)) if (result.status === "fulfilled") result.value.close();
  }

  async #open(way: Way): Promise<Route> {
    const { protocol: name, broker, backend } = way;
    const at = await this.#connections.open(broker, name);
    const protocol = await this.#protocols[name](at.driver);
    const backendAt = await this.#openBackend(at, name, backend);
    const { clock, logger } = this.#services;
    const queues = (): string[] => [...this.#queues(way), protocol.defaultQueue ?? []].flat();
    return new Route(at, backendAt, { protocol, queues, clock, logger });
  }

  async #openBackend(
    at: OpenDriver,
    protocol: Protocol["name"],
    backend: Way["backend"],
  ): Promise<OpenDriver | undefined> {
    if (isReplies(backend)) return this.#connections.openReplies(at);
    if (backend !== undefined) return this.#connections.open(backend, protocol);
    return at.connection.backend === undefined ? undefined : at;
  }
}

/** The route of one call: the app's own, unless its options or its queue's settings name another place or protocol. */
export function routeFor(runtime: Runtime, options: ResolvedOptions, queue: string): Route | Promise<Route> {
  const place = placeOf(runtime.settings, queue);
  const { protocol = place?.protocol, broker = place?.broker, backend = place?.backend } = options;
  if (broker === undefined && backend === undefined && protocol === undefined) return runtime.route;
  return runtime.routes.open(wayOf(runtime.settings, { protocol, broker, backend }));
}

/**
 * The route of a worker.
 *
 * @throws ConfigError where its queues are in different places: a worker has one broker.
 */
export async function routeOf(runtime: Runtime, queues: readonly string[]): Promise<Route> {
  const routes = await Promise.all(queues.map((queue) => routeFor(runtime, {}, queue)));
  const apart = routes.findIndex((route) => route !== routes[0]);
  if (apart < 0) return routes[0] ?? runtime.route;
  throw new ConfigError(
    `the queues "${queues[0]}" and "${queues[apart]}" are in different places (queuePlaces): start a worker for each`,
  );
}

/** The routes to all places in which the app has queues, its own first; what `queuePlaces` names is opened where it is not yet. */
export async function allRoutes(runtime: Runtime): Promise<readonly [Route, ...Route[]]> {
  const placed = await Promise.all(
    Object.keys(runtime.settings.queuePlaces).map((queue) => routeFor(runtime, {}, queue)),
  );
  return [runtime.route, ...new Set(placed.filter((route) => route !== runtime.route))];
}

/** Where a call or a worker goes that may name another place or protocol than the app. */
export function wayOf(settings: Settings, chosen: Chosen): Way {
  const protocol = chosen.protocol ?? settings.protocol;
  // The results of one protocol are no use to the other.
  const own = chosen.broker === undefined && protocol === settings.protocol;
  return {
    protocol,
    broker: chosen.broker ?? settings.broker,
    backend: chosen.backend ?? (own ? settings.backend : undefined),
  };
}

/**
 * The queues that an app knows by name and that may be at the end of a way: those of its tasks, of its workers and of
 * `queuePlaces`. Of each place these are its own; elsewhere, where only single calls go, they may be any.
 */
export function queuesOf(settings: Settings, tasks: ReadonlyMap<string, AnyTask>, way: Way): string[] {
  const { defaults, worker, queuePlaces } = settings;
  const ofTasks = [...tasks.values()].flatMap((task) => task[DEFINITION].options.queue ?? []);
  const placed = Object.keys(queuePlaces);
  const known = [...new Set([defaults.queue, ...worker.queues.map(({ name }) => name), ...ofTasks, ...placed])];
  const leadsTo = (queue: string): boolean => sameBroker(wayOf(settings, placeOf(settings, queue) ?? {}), way);
  const isPlace = sameBroker(wayOf(settings, {}), way) || placed.some(leadsTo);
  return isPlace ? known.filter(leadsTo) : known;
}

function sameBroker(one: Way, other: Way): boolean {
  return one.broker === other.broker && one.protocol === other.protocol;
}

/** What `queuePlaces` says of a queue. */
function placeOf({ queuePlaces }: Settings, queue: string): Chosen | undefined {
  return Object.hasOwn(queuePlaces, queue) ? queuePlaces[queue] : undefined;
}
