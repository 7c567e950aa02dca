import { extname } from "node:path";
import { pathToFileURL } from "node:url";
import type { Jiti } from "jiti";

/** The exports of a module by name; the default export as `default`. */
export type ModuleExports = Readonly<Record<string, unknown>>;

const TYPESCRIPT = new Set([".ts", ".mts", ".cts", ".tsx"]);

let jiti: Promise<Jiti> | undefined;

/**
 * Imports a TypeScript or JavaScript module with no build step, the same way on every Node.
 *
 * JavaScript goes through Node's own `import()`. TypeScript goes through jiti rather than Node's type stripping: that is
 * missing before 22.18, and refuses enums, parameter properties and `.js` specifiers that mean `.ts` files. Packages in
 * node_modules stay with Node either way, so a module and its caller share one copy of taskwright.
 *
 * @param path - Absolute path of the file.
 */
export async function loadModule(path: string): Promise<ModuleExports> {
  if (!TYPESCRIPT.has(extname(path))) return (await import(pathToFileURL(path).href)) as ModuleExports;
  jiti ??= startJiti();
  return (await jiti).import<ModuleExports>(path);
}

/** Loaded when first needed: it takes 50 ms, and most processes that import taskwright load no TypeScript through it. */
async function startJiti(): Promise<Jiti> {
  const { createJiti } = await import("jiti");
  // No cache on disk: it would leave files behind. No "paths" of tsconfig.json either: in a repository that maps a
  // package's name to its sources they would load a second copy beside the one that runs.
  return createJiti(import.meta.url, { fsCache: false, interopDefault: false, tsconfigPaths: false });
}
