import { isBuiltin } from "node:module";
import { maskSecrets, maskUrl } from "../config/mask.js";
import type { Settings } from "../config/resolve.js";
import type { Driver } from "../contracts/index.js";
import type { PlaceReport } from "../inspect/inspect.js";
import { SchemaError } from "../job/errors.js";
import { type MigrationReport, namedPlaces } from "../migrate.js";
import type { Session } from "./session.js";
import { roughly } from "./show.js";
import { VERSION } from "./version.js";

/** One thing that doctor looked at. `problem`: it will not work; `warning`: it works, but somebody should know. */
export interface Check {
  readonly name: string;
  readonly status: "ok" | "warning" | "problem";
  readonly detail: string;
}

const OLDEST_NODE = [20, 19] as const;
/** A clock this far off makes delays and expiry times surprising. */
const SKEW_LIMIT = 1000;

/** Client libraries by driver, best first. One of them is enough. */
const CLIENTS: readonly (readonly [driver: string, names: readonly string[], remedy: string])[] = [
  ["sqlite", ["better-sqlite3", "node:sqlite", "libsql"], "npm install better-sqlite3, or use Node 22.13 or later"],
];

/** Whether this Node and these libraries will do. Opens nothing. */
export async function checkInstallation(): Promise<Check[]> {
  const drivers = await Promise.all(CLIENTS.map(checkClients));
  return [{ name: "taskwright", status: "ok", detail: VERSION }, checkNode(process.versions.node), ...drivers];
}

function checkNode(version: string): Check {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [oldestMajor, oldestMinor] = OLDEST_NODE;
  const enough = major > oldestMajor || (major === oldestMajor && minor >= oldestMinor);
  const detail = `${version} on ${process.platform} ${process.arch}`;
  if (enough) return { name: "node", status: "ok", detail };
  return { name: "node", status: "problem", detail: `${detail}: ${OLDEST_NODE.join(".")} or later is needed` };
}

async function checkClients([driver, names, remedy]: (typeof CLIENTS)[number]): Promise<Check> {
  const found = await Promise.all(names.map(async (name) => ((await isInstalled(name)) ? [name] : [])));
  const clients = found.flat();
  const name = `${driver} client`;
  if (clients.length > 0) return { name, status: "ok", detail: clients.join(", ") };
  return { name, status: "problem", detail: `none of ${names.join(", ")}: ${remedy}` };
}

/** Importing is the only proof: a library can be there while its native half was not built. */
async function isInstalled(name: string): Promise<boolean> {
  if (name.startsWith("node:")) return isBuiltin(name);
  return import(name).then(
    () => true,
    () => false,
  );
}

/** Whether broker and backend answer, who they are, and what time they have. */
export async function checkPlaces({ app, settings }: Session): Promise<Check[]> {
  try {
    const reports = await app.inspect.ping();
    return reports.flatMap((report) => [
      describePlace(report),
      ...report.warnings.map((text) => warning(report.role, text)),
    ]);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    // It names its place, unless it comes before there is one.
    const named = namedPlaces(settings).some(({ place }) => message.includes(maskUrl(placeOf(place))));
    const detail = named ? message : `${placeOf(settings.broker)}: ${message}`;
    return [{ name: "broker", status: "problem", detail: maskSecrets(detail) }];
  }
}

/** Whether the databases have the tables that this version needs. What cannot be reached is told of by `checkPlaces`. */
export async function checkSchemas({ app }: Session): Promise<Check[]> {
  try {
    const reports = await app.migrate({ dryRun: true });
    return reports.filter(({ known }) => known > 0).map(describeSchema);
  } catch (error) {
    if (!(error instanceof SchemaError)) return [];
    return [{ name: "schema", status: "problem", detail: maskSecrets(error.message) }];
  }
}

function describeSchema({ role, location, known, missing }: MigrationReport): Check {
  if (missing.length === 0) {
    return { name: "schema", status: "ok", detail: `${known} of ${known} migrations at ${location}` };
  }
  const names = missing.map(({ number, name }) => `${number} ${name}`).join(", ");
  const detail = `the ${role} at ${location} lacks ${missing.length} of ${known} migrations (${names}): run "taskwright migrate"`;
  return { name: "schema", status: "problem", detail };
}

function describePlace({ role, driver, location, server, latency, clockSkew }: PlaceReport): Check {
  const detail = `${server} at ${location} (driver ${driver}, answers in ${Math.round(latency)} ms)`;
  const skew = Math.abs(Math.round(clockSkew));
  if (skew <= SKEW_LIMIT) return { name: role, status: "ok", detail };
  const direction = clockSkew > 0 ? "ahead of" : "behind";
  return {
    name: role,
    status: "warning",
    detail: `${detail}; its clock is ${roughly(skew)} ${direction} this machine's`,
  };
}

function warning(role: string, text: string): Check {
  return { name: role, status: "warning", detail: text };
}

/** Who is alive to run jobs. No worker is no problem: this may be a producer. */
export async function checkWorkers({ app }: Session): Promise<Check[]> {
  const workers = await app.inspect.workers();
  if (workers.length === 0) return [{ name: "workers", status: "ok", detail: "none is running" }];
  return workers.map(({ id, queues, running, concurrency }) => ({
    name: "worker",
    status: "ok",
    detail: `${id}: ${running} of ${concurrency} busy, queues ${queues.join(", ")}`,
  }));
}

/** A setting that somebody made, and where. */
export interface ChosenSetting {
  readonly setting: string;
  readonly value: unknown;
  readonly from: string;
}

/** The settings that are not at their defaults, without secrets. */
export function chosenSettings({ sources }: Settings): ChosenSetting[] {
  const chosen = [...sources].filter(([, source]) => source.layer !== "default");
  return chosen.map(([setting, source]) => ({ setting, value: shownValue(source.value), from: source.name }));
}

/** Places may also stand deeper, as in `queuePlaces`. */
function shownValue(value: unknown): unknown {
  if (typeof value === "string") return maskUrl(value);
  if (isDriver(value)) return placeOf(value);
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value ?? "none";
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, shownValue(one)]));
}

/** A broker or backend for people. */
export function placeOf(place: string | Driver): string {
  if (typeof place === "string") return maskUrl(place);
  return place.location.startsWith(place.name) ? place.location : `${place.name} at ${place.location}`;
}

function isDriver(value: unknown): value is Driver {
  return typeof value === "object" && value !== null && "connect" in value && "location" in value;
}
