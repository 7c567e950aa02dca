import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";

/** Where the peers are installed: the runner starts each process in there. */
const HERE = join(process.cwd(), "package.json");

/** Imports a package that is installed under `bench/`. `T` says what is used of it. */
export async function load<T>(name: string): Promise<T> {
  return (await import(pathToFileURL(createRequire(HERE).resolve(name)).href)) as T;
}

/** The version of a package that is installed under `folder`. */
export function versionOf(name: string, folder = dirname(HERE)): string {
  const { version } = createRequire(join(folder, "package.json"))(`${folder}/node_modules/${name}/package.json`) as {
    version: string;
  };
  return version;
}
