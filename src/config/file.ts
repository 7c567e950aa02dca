import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename, dirname, extname, join, resolve } from "node:path";
import { ConfigError } from "../job/errors.js";
import { loadModule } from "./load.js";
import type { ConfigFile } from "./resolve.js";

const NAMES = ["ts", "mts", "js", "mjs", "json"].map((extension) => `taskwright.config.${extension}`);

/**
 * The nearest `taskwright.config.{ts,mts,js,mjs,json}`, from `folder` up to the root of its package (the first folder
 * with a package.json). Never higher: another project's file must not decide.
 *
 * @throws ConfigError when one folder has two of them.
 */
export function findConfigFile(folder: string): string | undefined {
  const here = resolve(folder);
  const found = NAMES.filter((name) => existsSync(join(here, name)));
  if (found.length > 1) throw new ConfigError(`${found.join(" and ")} are both in ${here}: keep one of them`);
  if (found[0] !== undefined) return join(here, found[0]);
  const parent = dirname(here);
  if (parent === here || existsSync(join(here, "package.json"))) return undefined;
  return findConfigFile(parent);
}

/**
 * Loads a configuration file: the default export of a module, or a JSON document.
 *
 * @param folder - Where to look from. Default: the current one.
 * @param path - The file itself, instead of looking for it.
 * @throws ConfigError when it is missing, fails to load or exports nothing by default.
 */
export async function loadConfigFile(folder = process.cwd(), path?: string): Promise<ConfigFile | undefined> {
  const file = path === undefined ? findConfigFile(folder) : resolve(folder, path);
  if (file === undefined) return undefined;
  if (!existsSync(file)) throw new ConfigError(`there is no configuration file ${path}`);
  return { path: basename(file), config: extname(file) === ".json" ? await readJson(file) : await readModule(file) };
}

async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, "utf8"));
  } catch (cause) {
    throw new ConfigError(`${basename(file)} is not valid JSON: ${message(cause)}`, { cause });
  }
}

async function readModule(file: string): Promise<unknown> {
  const exports = await loadModule(file).catch((cause: unknown) => {
    throw new ConfigError(`${basename(file)} failed to load: ${message(cause)}`, { cause });
  });
  if (exports.default === undefined) {
    throw new ConfigError(`${basename(file)} has no default export: write "export default { broker: ... }"`);
  }
  return exports.default;
}

function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
