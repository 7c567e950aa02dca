import { join } from "node:path";
import type { SharedPlace } from "taskwright/conformance";
import type { Capabilities } from "../../src/contracts/index.js";
import { compiledSources } from "./compiled.js";
import { selectedDrivers } from "./drivers.js";
import { mysqlPlace } from "./mysql/shared.js";
import { postgresPlace } from "./postgres/shared.js";
import { rabbitmqPlace } from "./rabbitmq/shared.js";
import { redisPlace } from "./redis/shared.js";
import { temporaryFolder } from "./temporary.js";

/** Makes an empty place for processes of one case. A driver with a server starts it in its first call. */
type OpenShared = () => Promise<SharedPlace>;

/**
 * Where the processes of a case meet, for each driver that processes can share. One that keeps no outcomes is named with the
 * backend beside it, after a plus, and may be there with several.
 */
const SHARED: Readonly<Record<string, OpenShared>> = {
  sqlite: openSqlitePlace,
  redis: async () => ({ broker: await redisPlace() }),
  postgres: async () => ({ broker: await postgresPlace() }),
  mysql: async () => ({ broker: await mysqlPlace() }),
  "rabbitmq+sqlite": () => openRabbitmqPlace(openSqlitePlace),
  "rabbitmq+redis": () => openRabbitmqPlace(async () => ({ broker: await redisPlace() })),
  "rabbitmq+postgres": () => openRabbitmqPlace(async () => ({ broker: await postgresPlace() })),
};

/** A driver as tests with processes meet it. */
export interface SharedDriver {
  readonly name: string;
  readonly capabilities: Capabilities;
  readonly open: OpenShared;
}

/** The names of all places. */
export const SHARED_PLACES: readonly string[] = Object.keys(SHARED);

/** The place of this name, unless its driver is not selected. */
export function selectedPlace(name: string): SharedDriver | undefined {
  const open = SHARED[name];
  if (open === undefined) throw new Error(`there is no place "${name}", but ${SHARED_PLACES.join(", ")}`);
  const selected = selectedDrivers().find(([driver]) => driver === name.split("+")[0]);
  return selected && { name, capabilities: selected[1].capabilities, open };
}

/** The command that starts the suite's program from these sources. */
export async function programCommand(): Promise<string[]> {
  const folder = await compiledSources();
  return [process.execPath, "--enable-source-maps", join(folder, "conformance", "worker", "program.js")];
}

async function openRabbitmqPlace(openBackend: OpenShared): Promise<SharedPlace> {
  const [{ url, remove }, backend] = await Promise.all([rabbitmqPlace(), openBackend()]);
  return {
    broker: url,
    backend: backend.broker,
    remove: async () => void (await Promise.all([remove(), backend.remove?.()])),
  };
}

async function openSqlitePlace(): Promise<SharedPlace> {
  const folder = await temporaryFolder();
  return { broker: `sqlite:${join(folder.path, "jobs.db")}`, remove: () => folder.remove() };
}
