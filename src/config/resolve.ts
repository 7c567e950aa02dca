import { ConfigError } from "../job/errors.js";
import { nearest, unknownKey } from "./nearest.js";
import {
  type Branch,
  isSetting,
  type NamedSetting,
  SCHEMA,
  SETTINGS,
  type SettingValues,
  type TaskwrightConfig,
  type WorkerConfig,
  type WorkerSettings,
} from "./schema.js";

/** A configuration file's content and its name, for errors. */
export interface ConfigFile {
  readonly path: string;
  readonly config: unknown;
}

/** Where settings come from, weakest first; built-in defaults are weaker than all. */
export interface SettingLayers {
  readonly file?: ConfigFile | undefined;
  /** Usually `process.env`. Empty values count as absent. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  readonly code?: TaskwrightConfig | undefined;
  /** Text by flag, such as `{ "--concurrency": "10" }`. */
  readonly flags?: Readonly<Record<string, string | undefined>> | undefined;
}

/** Where a value came from. */
export interface SettingSource {
  readonly layer: "default" | "file" | "environment" | "code" | "worker" | "flag";
  /** Such as `"TASKWRIGHT_CONCURRENCY"`, `"--concurrency"` or a file's name. */
  readonly name: string;
  readonly value: unknown;
}

/** All settings, and which layer decided each: by path, such as `"worker.concurrency"`. */
export interface Settings extends SettingValues {
  readonly sources: ReadonlyMap<string, SettingSource>;
}

const CODE = "new Taskwright()";
const WORKER = "app.worker()";

type Sources = Map<string, SettingSource>;

/**
 * Lays the layers over each other and validates every value in all of them, also one that a stronger layer hides.
 *
 * @throws ConfigError that names the setting, where it was set, its value and what would be right; for an unknown
 * setting, the nearest one there is.
 *
 * @example
 * const settings = resolveSettings({ env: process.env, code: { worker: { lease: "1m" } } });
 * settings.worker.lease; // 60000
 */
export function resolveSettings(layers: SettingLayers = {}): Settings {
  const sources: Sources = new Map();
  addDefaults(sources);
  if (layers.file) readTree(SCHEMA, layers.file.config, "", { layer: "file", name: layers.file.path }, sources);
  if (layers.env) readEnvironment(layers.env, sources);
  if (layers.code) readTree(SCHEMA, layers.code, "", { layer: "code", name: CODE }, sources);
  if (layers.flags) readFlags(layers.flags, sources);
  return build(sources);
}

/**
 * The settings of one worker: `options` over the app's settings, except where a flag decided, which is stronger than code.
 *
 * @throws ConfigError as `resolveSettings` does.
 */
export function resolveWorkerSettings(settings: Settings, options: WorkerConfig = {}): WorkerSettings {
  const sources: Sources = new Map(settings.sources);
  readTree(SCHEMA.worker, options, "worker.", { layer: "worker", name: WORKER }, sources);
  for (const [path, source] of settings.sources) if (source.layer === "flag") sources.set(path, source);
  return build(sources).worker;
}

function addDefaults(sources: Sources): void {
  for (const setting of SETTINGS) {
    if (setting.default === undefined) continue;
    sources.set(setting.path, {
      layer: "default",
      name: "default",
      value: setting.type.parse(setting.default, setting.path),
    });
  }
}

type Layer = Pick<SettingSource, "layer" | "name">;

function readTree(branch: Branch, given: unknown, prefix: string, from: Layer, sources: Sources): void {
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw new ConfigError(
      `${prefix === "" ? "the configuration" : prefix.slice(0, -1)} in ${from.name} must be an object`,
    );
  }
  for (const [key, value] of Object.entries(given)) {
    const node = Object.hasOwn(branch, key) ? branch[key] : undefined;
    if (node === undefined) throw new ConfigError(unknownSetting(branch, key, prefix, from));
    if (value === undefined) continue;
    if (isSetting(node)) set(bySetting(`${prefix}${key}`), value, from, sources);
    else readTree(node, value, `${prefix}${key}.`, from, sources);
  }
}

/** A setting at the wrong level is named with its whole path. */
function unknownSetting(branch: Branch, key: string, prefix: string, from: Layer): string {
  const siblings = Object.keys(branch);
  const sibling = nearest(key, siblings);
  const guess = sibling === undefined ? findAnywhere(key) : shown(`${prefix}${sibling}`, from);
  if (guess === undefined) return unknownKey("setting", shown(`${prefix}${key}`, from), siblings, from.name);
  return `unknown setting "${shown(`${prefix}${key}`, from)}" in ${from.name}: did you mean "${guess}"?`;
}

function findAnywhere(key: string): string | undefined {
  const leaf = (path: string) => path.slice(path.lastIndexOf(".") + 1);
  const guess = nearest(
    key,
    SETTINGS.map((setting) => leaf(setting.path)),
  );
  return SETTINGS.find((setting) => leaf(setting.path) === guess)?.path;
}

/** A worker's options stand by themselves, without the app's `worker.` before them. */
function shown(path: string, from: Layer): string {
  return from.layer === "worker" ? path.replace(/^worker\./, "") : path;
}

function readEnvironment(env: Readonly<Record<string, string | undefined>>, sources: Sources): void {
  const names = SETTINGS.map((setting) => setting.env);
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith("TASKWRIGHT_") || text === undefined || text === "") continue;
    const setting = SETTINGS.find((candidate) => candidate.env === name);
    if (setting) setText(setting, text, { layer: "environment", name }, sources);
    else refuseMisspelling(name, names);
  }
}

/**
 * Only what looks misspelt is refused: others use the prefix too. Kubernetes, for a service named "taskwright", sets
 * TASKWRIGHT_PORT and TASKWRIGHT_SERVICE_HOST in every pod.
 */
function refuseMisspelling(name: string, names: readonly string[]): void {
  const suffix = (full: string) => full.slice("TASKWRIGHT_".length);
  const guess = nearest(suffix(name), names.map(suffix));
  if (guess !== undefined) throw new ConfigError(unknownKey("environment variable", name, [`TASKWRIGHT_${guess}`]));
}

function readFlags(flags: Readonly<Record<string, string | undefined>>, sources: Sources): void {
  for (const [name, text] of Object.entries(flags)) {
    if (text === undefined) continue;
    const setting = SETTINGS.find((candidate) => candidate.flag === name);
    if (!setting)
      throw new ConfigError(
        unknownKey(
          "flag",
          name,
          SETTINGS.map((candidate) => candidate.flag),
        ),
      );
    setText(setting, text, { layer: "flag", name }, sources);
  }
}

function setText(setting: NamedSetting, text: string, from: Layer, sources: Sources): void {
  set(setting, setting.type.fromText(text), from, sources);
}

function set(setting: NamedSetting, value: unknown, from: Layer, sources: Sources): void {
  try {
    sources.set(setting.path, { ...from, value: setting.type.parse(value, shown(setting.path, from)) });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new ConfigError(`${error.message} (from ${from.name})`);
  }
}

function bySetting(path: string): NamedSetting {
  const found = SETTINGS.find((setting) => setting.path === path);
  if (!found) throw new Error(`no setting ${path}`);
  return found;
}

/** Fills in what depends on other settings, checks what must fit together, and makes the tree. */
function build(sources: Sources): Settings {
  derive(sources);
  checkHeartbeat(sources);
  // The tree holds, by construction, one validated value for each entry of SCHEMA: the type is what the schema says.
  return { ...(tree(SCHEMA, "", sources) as unknown as SettingValues), sources };
}

function derive(sources: Sources): void {
  const lease = sources.get("worker.lease")?.value as number;
  const queues = sources.get("worker.queues")?.value as WorkerSettings["queues"];
  const weighted = queues.some((queue) => queue.weight !== 1);
  const derived: [string, unknown][] = [
    ["worker.heartbeat", Math.floor(lease / 3)],
    ["worker.sweep", Math.floor(lease / 2)],
    ["worker.order", weighted ? "weighted" : "strict"],
  ];
  for (const [path, value] of derived) {
    if ((sources.get(path)?.layer ?? "default") === "default")
      sources.set(path, { layer: "default", name: "default", value });
  }
}

function checkHeartbeat(sources: Sources): void {
  const heartbeat = sources.get("worker.heartbeat");
  const lease = sources.get("worker.lease");
  if ((heartbeat?.value as number) * 2 < (lease?.value as number)) return;
  throw new ConfigError(
    `worker.heartbeat (${heartbeat?.value} ms, from ${heartbeat?.name}) must be under half of worker.lease ` +
      `(${lease?.value} ms, from ${lease?.name}), so that one lost renewal loses no job`,
  );
}

function tree(branch: Branch, prefix: string, sources: Sources): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(branch).map(([key, node]) => {
      const path = `${prefix}${key}`;
      return [key, isSetting(node) ? sources.get(path)?.value : tree(node, `${path}.`, sources)];
    }),
  );
}
