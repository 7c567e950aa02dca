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
};

/** A driver as tests with processes meet it. */
export interface SharedDriver {
  readonly name: string;
  readonly capabilities: Capabilities;
  readonly open: OpenShared;
}

/**
 * Those of the selected drivers that processes can share.
 *
 * @throws Error where a driver says that it is shared and there is no place for it here
 */
export function sharedDrivers(): SharedDriver[] {
  return selectedDrivers()
    .filter(([, { capabilities }]) => capabilities.shared)
    .flatMap(([driver, { capabilities }]) => {
      const places = Object.entries(SHARED).filter(([name]) => name.split("+")[0] === driver);
      if (places.length === 0) throw new Error(`${driver} is shared, so it needs its places in ${import.meta.url}`);
      return places.map(([name, open]) => ({ name, capabilities, open }));
    });
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
