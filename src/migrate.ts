import type { Settings } from "./config/resolve.js";
import type { Driver, DriverEnvironment, Migration, Migrator } from "./contracts/index.js";
import { driverFromUrl } from "./drivers/index.js";
import { BrokerError, TaskwrightError } from "./job/errors.js";
import { isReplies } from "./replies.js";

/** How `app.migrate` goes about it. */
export interface MigrateOptions {
  /** Only say what is missing. Default `false`. */
  readonly dryRun?: boolean;
}

/** What became of the schema of one place. */
export interface MigrationReport {
  readonly role: "broker" | "backend";
  /** Such as `"postgres"`. */
  readonly driver: string;
  /** Where that is, with no secrets in it. */
  readonly location: string;
  /** How many migrations the driver has. 0: it needs none, or makes its own tables. */
  readonly known: number;
  /** Those that this call applied, in order. */
  readonly applied: readonly Migration[];
  /** Those that the database lacks after this call: some only after a dry run. */
  readonly missing: readonly Migration[];
}

/** A place as the settings name it, and what it is to an app. */
interface NamedPlace {
  readonly role: MigrationReport["role"];
  readonly place: string | Driver;
  readonly protocol: Settings["protocol"];
}

/** A driver, and what it is to an app. */
interface Place {
  readonly role: MigrationReport["role"];
  readonly driver: Driver;
}

type PlaceSettings = Pick<Settings, "broker" | "backend" | "protocol" | "queuePlaces">;

/** The places of an app's settings, its own first and each once. */
export function namedPlaces({ queuePlaces, ...own }: PlaceSettings): NamedPlace[] {
  const places = new Map<string | Driver, NamedPlace>();
  for (const { broker, backend, protocol = own.protocol } of [own, ...Object.values(queuePlaces)]) {
    for (const [role, place] of [["broker", broker] as const, ["backend", backend] as const]) {
      if (place === undefined || isReplies(place) || places.has(place)) continue;
      places.set(place, { role, place, protocol });
    }
  }
  return [...places.values()];
}

/** Their drivers, none of them opened. */
export async function placesOf(settings: PlaceSettings): Promise<Place[]> {
  const driverOf = async ({ place, protocol }: NamedPlace): Promise<Driver> =>
    typeof place === "string" ? driverFromUrl(place, protocol) : place;
  return Promise.all(namedPlaces(settings).map(async (named) => ({ role: named.role, driver: await driverOf(named) })));
}

/** Brings the schemas of all places to what their drivers need, one place after the other. */
export async function migrate(
  settings: PlaceSettings,
  environment: DriverEnvironment,
  { dryRun = false }: MigrateOptions = {},
): Promise<MigrationReport[]> {
  const reports: MigrationReport[] = [];
  for (const place of await placesOf(settings)) reports.push(await migratePlace(place, environment, dryRun));
  return reports;
}

async function migratePlace(
  { role, driver }: Place,
  environment: DriverEnvironment,
  dryRun: boolean,
): Promise<MigrationReport> {
  const { name, location, migrations = [] } = driver;
  const report = { role, driver: name, location, known: migrations.length, applied: [], missing: [] };
  if (driver.migrator === undefined) return report;
  try {
    const migrator = await driver.migrator(environment);
    return { ...report, ...(await change(migrator, dryRun)) };
  } catch (error) {
    if (error instanceof TaskwrightError) throw error;
    const message = error instanceof Error ? error.message : String(error);
    throw new BrokerError(`${name} migrations failed: ${message}`, { cause: error, outcome: "unknown" });
  }
}

async function change(migrator: Migrator, dryRun: boolean): Promise<Pick<MigrationReport, "applied" | "missing">> {
  try {
    if (!dryRun) return { applied: await migrator.apply(), missing: [] };
    const statuses = await migrator.status();
    return { applied: [], missing: statuses.filter(({ appliedAt }) => appliedAt === undefined) };
  } finally {
    await migrator.close();
  }
}
