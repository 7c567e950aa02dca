import { type Capabilities, DEFAULT_CAPABILITIES } from "../../contracts/capabilities.js";
import type { Connection, Driver, DriverEnvironment } from "../../contracts/driver.js";
import { ConfigError } from "../../job/errors.js";
import { MemoryBackend } from "./backend.js";
import { MemoryBroadcaster } from "./broadcaster.js";
import { MemoryBroker } from "./broker.js";
import { MemoryCoordinator } from "./coordinator.js";
import { MemoryInspector } from "./inspector.js";
import { MemoryNotifier } from "./notifier.js";
import { Store } from "./store.js";

/** How the memory driver keeps jobs. */
export interface MemoryOptions {
  /** Jobs run in the producer's process when they are enqueued, and `enqueue` resolves when they have ended. Default `false`. */
  readonly inline?: boolean;
  /** How many outcomes are kept; the oldest make room. Default 100,000. Of drivers that share a name, the first to connect decides. */
  readonly maxStoredResults?: number;
  /** Drivers of one name share their jobs within the process. Absent: this driver value has its own. */
  readonly name?: string;
}

const CAPABILITIES: Capabilities = { ...DEFAULT_CAPABILITIES, durability: "process", shared: false, broadcast: true };

const DEFAULT_MAX_STORED_RESULTS = 100_000;

/** The stores that have a name. They live as long as the process, as their jobs promise to. */
const namedStores = new Map<string, Store>();

/**
 * Jobs in this process's memory: for tests, development and work that may be lost with the process. It can do all that
 * the other drivers can, except to share with other processes and to survive its own.
 *
 * @param options - see {@link MemoryOptions}
 * @throws ConfigError when `maxStoredResults` is not a whole number of at least 0
 * @example
 * import { Taskwright } from "taskwright";
 * import { memory } from "taskwright/drivers/memory";
 *
 * const app = new Taskwright({ broker: memory({ inline: true }) });
 */
export function memory(options: MemoryOptions = {}): Driver {
  const { inline = false, maxStoredResults = DEFAULT_MAX_STORED_RESULTS, name } = options;
  if (!Number.isInteger(maxStoredResults) || maxStoredResults < 0) {
    throw new ConfigError(`maxStoredResults is a whole number of at least 0, not ${maxStoredResults}`);
  }
  let own: Store | undefined;
  return {
    name: "memory",
    location: name === undefined ? "memory:" : `memory://${name}`,
    capabilities: CAPABILITIES,
    inline,
    async connect(environment) {
      own ??= name === undefined ? undefined : namedStores.get(name);
      own ??= new Store(environment.clock, maxStoredResults);
      if (name !== undefined) namedStores.set(name, own);
      return openConnection(own, environment);
    },
  };
}

/**
 * The memory driver for a URL: `memory:` for jobs of its own, `memory://name` for jobs shared by that name within the
 * process, and `?inline=true` and `?maxStoredResults=1000` as in {@link memory}.
 *
 * @throws ConfigError when the URL has another form
 */
export function fromUrl(url: string): Driver {
  const match = /^memory:(?:\/\/([^/?#]*)\/?)?(?:\?([^#]*))?$/i.exec(url);
  if (!match) throw new ConfigError(`"${url}" is not a memory URL: write "memory:" or "memory://name"`);
  const [, name, query] = match;
  return memory({ ...parseQuery(query ?? ""), ...(name && { name: decodeURIComponent(name) }) });
}

function parseQuery(query: string): MemoryOptions {
  let options: MemoryOptions = {};
  for (const [key, value] of new URLSearchParams(query)) {
    if (key === "inline" && /^(true|false)$/.test(value)) options = { ...options, inline: value === "true" };
    else if (key === "maxStoredResults") options = { ...options, maxStoredResults: Number(value || Number.NaN) };
    else
      throw new ConfigError(
        `"${key}=${value}" means nothing in a memory URL: write inline=true or maxStoredResults=1000`,
      );
  }
  return options;
}

function openConnection(store: Store, environment: DriverEnvironment): Connection {
  store.open(environment.clock);
  const broker = new MemoryBroker(store, environment.random);
  const notifier = new MemoryNotifier(store.subscriptions);
  const broadcaster = new MemoryBroadcaster(store.audience);
  let open = true;
  return {
    broker,
    notifier,
    broadcaster,
    backend: new MemoryBackend(store),
    coordinator: new MemoryCoordinator(store),
    inspector: new MemoryInspector(store),
    async ping() {
      return { server: "memory of this process", time: store.now(), warnings: [] };
    },
    async close() {
      if (!open) return;
      open = false;
      notifier.close();
      broadcaster.close();
      await broker.close();
      store.close();
    },
  };
}
