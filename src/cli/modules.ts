import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, dirname, relative, resolve } from "node:path";
import { Taskwright } from "../app.js";
import { loadModule, type ModuleExports } from "../config/load.js";
import { suggestion, unknownKey } from "../config/nearest.js";
import { ConfigError } from "../job/errors.js";
import { type AnyTask, isTask, SENDER } from "../task.js";
import { CliError, EXIT } from "./failure.js";
import { findFiles } from "./glob.js";

/** An app and the files that it and its tasks came from. */
export interface LoadedApp {
  readonly app: Taskwright<unknown>;
  readonly files: readonly string[];
}

/** Which modules to load: paths with an optional `#export`, and patterns to discover more. */
export interface ModuleRequest {
  readonly modules: readonly string[];
  readonly discover: readonly string[];
}

interface Loaded {
  readonly name: string;
  readonly file: string;
  readonly exports: ModuleExports;
  /** The export to use, where one was named. */
  readonly wanted: string | undefined;
}

/**
 * Loads modules and finds the one app among their exports. Tasks that belong to no app yet are registered with it; where
 * there are only such tasks, they get an app made of the settings alone.
 *
 * @throws CliError that says which module or export is missing, or which apps there are to choose from.
 */
export async function loadApp(request: ModuleRequest): Promise<LoadedApp> {
  const specifiers = [...request.modules, ...(await discover(request.discover))];
  const loaded: Loaded[] = [];
  for (const specifier of specifiers) loaded.push(await load(specifier));
  const tasks = [...new Set(loaded.flatMap(({ exports }) => Object.values(exports).filter(isTask)))];
  const free = tasks.filter((task) => !isOwned(task));
  const app = chooseApp(loaded, free);
  for (const task of free) app.register(task);
  return { app, files: [...new Set(loaded.map(({ file }) => relative(process.cwd(), file)))] };
}

async function discover(patterns: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const pattern of patterns) {
    const files = await findFiles(pattern, process.cwd());
    if (files.length === 0)
      throw new CliError(`--discover "${pattern}" matches no file below ${process.cwd()}`, EXIT.notFound);
    found.push(...files.filter((file) => !/\.d\.[cm]?ts$/.test(file)));
  }
  return found;
}

async function load(specifier: string): Promise<Loaded> {
  const { path, wanted } = split(specifier);
  const file = resolve(path);
  if (!existsSync(file) || statSync(file).isDirectory()) throw noModule(path, file);
  try {
    return { name: path, file, exports: await loadModule(file), wanted };
  } catch (cause) {
    throw loadFailure(path, cause);
  }
}

/** `tasks.ts#app` names an export. A `#` that belongs to an existing file's name is left alone. */
function split(specifier: string): { path: string; wanted: string | undefined } {
  const at = specifier.lastIndexOf("#");
  if (at <= 0 || existsSync(specifier)) return { path: specifier, wanted: undefined };
  return { path: specifier.slice(0, at), wanted: specifier.slice(at + 1) };
}

const EXTENSIONS = [".ts", ".mts", ".js", ".mjs"];

function noModule(path: string, file: string): CliError {
  if (existsSync(file))
    return new CliError(`${path} is a folder: name a module in it, or use --discover "${path}/**/*.ts"`, EXIT.notFound);
  const completed = EXTENSIONS.map((extension) => path + extension).find((candidate) => existsSync(candidate));
  if (completed !== undefined)
    return new CliError(`there is no module ${path}: did you mean "${completed}"?`, EXIT.notFound);
  const folder = dirname(file);
  if (!existsSync(folder))
    return new CliError(`there is no module ${path}: there is no folder ${dirname(path)}`, EXIT.notFound);
  const guess = suggestion(
    basename(path),
    readdirSync(folder).filter((name) => /\.[cm]?[jt]s$/.test(name)),
  );
  const hint = guess.startsWith(":") ? guess : ` in ${folder}`;
  return new CliError(`there is no module ${path}${hint}`, EXIT.notFound);
}

function loadFailure(path: string, cause: unknown): CliError {
  const message = cause instanceof Error ? cause.message : String(cause);
  const exitCode = cause instanceof ConfigError ? EXIT.usage : EXIT.notFound;
  return new CliError(`${path} failed to load: ${message}`, exitCode, { cause });
}

/** Whether a task belongs to an app already. */
function isOwned(task: AnyTask): boolean {
  return SENDER in task && task[SENDER] !== undefined;
}

function chooseApp(loaded: readonly Loaded[], freeTasks: readonly AnyTask[]): Taskwright<unknown> {
  const chosen = loaded.flatMap((module) => (module.wanted === undefined ? [] : [named(module, module.wanted)]));
  const exported = loaded.flatMap(({ exports }) => Object.values(exports).filter(Taskwright.isApp));
  const [app, another] = new Set(chosen.length > 0 ? chosen : exported);
  if (another !== undefined) throw severalApps(loaded);
  if (app !== undefined) return app;
  if (freeTasks.length > 0) return new Taskwright();
  throw noApp(loaded);
}

function named({ name, exports }: Loaded, wanted: string): Taskwright<unknown> {
  const value = exports[wanted];
  if (Taskwright.isApp(value)) return value;
  if (value !== undefined)
    throw new CliError(`the export "${wanted}" of ${name} is not a Taskwright app`, EXIT.notFound);
  throw new CliError(unknownKey("export", wanted, Object.keys(exports), name), EXIT.notFound);
}

function severalApps(loaded: readonly Loaded[]): CliError {
  const choices = loaded.flatMap(({ name, exports }) =>
    Object.entries(exports).flatMap(([key, value]) => (Taskwright.isApp(value) ? [`${name}#${key}`] : [])),
  );
  return new CliError(`these modules hold several apps: choose one, as in ${choices.join(" or ")}`, EXIT.notFound);
}

function noApp(loaded: readonly Loaded[]): CliError {
  const where = loaded.map(({ name }) => name).join(", ");
  if (loaded.some(({ exports }) => Object.values(exports).some(isTask))) {
    return new CliError(
      `${where} exports tasks but not their app: name the module that exports the app too`,
      EXIT.notFound,
    );
  }
  const names = loaded.flatMap(({ exports }) => Object.keys(exports));
  const what = names.length === 0 ? "nothing" : names.slice(0, 8).join(", ");
  const hint = 'add "export const app = new Taskwright()"';
  return new CliError(`there is no app in ${where}, which exports ${what}: ${hint}`, EXIT.notFound);
}
