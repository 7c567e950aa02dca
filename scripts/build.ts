/**
 * Compiles src/ to dist/. The new tree is built beside the old one and then takes its place, so a failed build, or a
 * worker that starts meanwhile, never meets half of it.
 *
 *   npm run build                  always
 *   npm run build -- --if-stale    only if a source is newer than dist/
 */
import { existsSync } from "node:fs";
import { chmod, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ROOT, run, tool } from "./shell.js";

const DIST = join(ROOT, "dist");
const INPUTS = ["src", "package.json", "tsconfig.json", "tsconfig.build.json"];

async function newestChange(path: string): Promise<number> {
  const info = await stat(path);
  if (!info.isDirectory()) return info.mtimeMs;
  const names = await readdir(path, { recursive: true });
  const times = await Promise.all(names.map(async (name) => (await stat(join(path, name))).mtimeMs));
  return Math.max(info.mtimeMs, ...times);
}

/** Whether dist/ is missing or older than what it is made from. */
export async function isStale(): Promise<boolean> {
  if (!existsSync(DIST)) return true;
  const built = (await stat(DIST)).mtimeMs;
  const changes = await Promise.all(INPUTS.map((input) => newestChange(join(ROOT, input))));
  return Math.max(...changes) > built;
}

/** Builds dist/, and answers whether that worked. The compiler's complaints go to the terminal. */
export async function build(): Promise<boolean> {
  const fresh = join(ROOT, `.build-${process.pid}`);
  const old = `${fresh}-old`;
  try {
    const { code } = await run(tool("tsc"), ["-p", "tsconfig.build.json", "--outDir", fresh]);
    if (code !== 0) return false;
    await chmod(join(fresh, "cli", "bin.js"), 0o755);
    if (existsSync(DIST)) await rename(DIST, old);
    await rename(fresh, DIST);
    return true;
  } finally {
    await rm(fresh, { recursive: true, force: true });
    await rm(old, { recursive: true, force: true });
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const needed = !process.argv.includes("--if-stale") || (await isStale());
  if (needed && !(await build())) process.exitCode = 1;
}
