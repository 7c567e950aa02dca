/**
 * Everything that must hold before a change is merged, fast parts first.
 *
 *   npm run check                     stops at the first part that fails
 *   npm run check -- lint types       only these parts
 *   npm run check -- --keep-going     runs every part (what .ci/run does)
 *   npm run check -- --report FILE    also writes vitest's results there, as JSON
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { packageTarball } from "./pack.js";
import { run, tool } from "./shell.js";

interface Part {
  readonly name: string;
  readonly title: string;
  /** Answers whether it holds. */
  check(): Promise<boolean>;
}

const { values: flags, positionals: wanted } = parseArgs({
  allowPositionals: true,
  options: { "keep-going": { type: "boolean", default: false }, report: { type: "string" } },
});

function command(name: string, title: string, program: string, args: readonly string[]): Part {
  return { name, title, check: async () => (await run(tool(program), args)).code === 0 };
}

const report = flags.report ? ["--reporter=default", "--reporter=json", `--outputFile.json=${flags.report}`] : [];

const PARTS: readonly Part[] = [
  command("lint", "format and lint", "biome", ["check", "--error-on-warnings", "."]),
  command("types", "types", "tsc", ["--noEmit"]),
  command("house", "house rules", "vitest", ["run", "test/house"]),
  command("build", "build", "jiti", ["scripts/build.ts"]),
  { name: "package", title: "publint and attw", check: checkPackage },
  command("unused", "unused code and dependencies", "knip", []),
  command("matrix", "driver matrix in the README", "jiti", ["scripts/driver-matrix.ts", "--check"]),
  command("reference", "docs/configuration.md", "jiti", ["scripts/generate-configuration-docs.ts", "--check"]),
  command("test", "tests", "vitest", ["run", ...report]),
  command("examples", "examples", "jiti", ["scripts/run-examples.ts"]),
  command("pack", "pack, install and use in an empty folder", "jiti", ["scripts/pack-check.ts"]),
];

async function checkPackage(): Promise<boolean> {
  const folder = await mkdtemp(join(tmpdir(), "taskwright-pack-"));
  try {
    const tarball = await packageTarball(folder);
    const publint = await run(tool("publint"), ["run", "--strict", tarball]);
    const attw = await run(tool("attw"), ["--profile", "esm-only", "--no-emoji", "--format", "ascii", tarball]);
    return publint.code === 0 && attw.code === 0;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function select(): readonly Part[] {
  const unknown = wanted.filter((name) => !PARTS.some((part) => part.name === name));
  if (unknown.length > 0) {
    throw new Error(`no part is called ${unknown.join(", ")}; there are: ${PARTS.map((part) => part.name).join(", ")}`);
  }
  return wanted.length === 0 ? PARTS : PARTS.filter((part) => wanted.includes(part.name));
}

/** Runs one part between a headline and its time. */
async function perform(part: Part): Promise<boolean> {
  console.log(`\n== ${part.name}: ${part.title}`);
  const started = performance.now();
  const ok = await part.check();
  console.log(`== ${part.name}: ${ok ? "ok" : "FAILED"} in ${((performance.now() - started) / 1000).toFixed(1)} s`);
  return ok;
}

const failed: string[] = [];
for (const part of select()) {
  if (await perform(part)) continue;
  failed.push(part.name);
  if (!flags["keep-going"]) break;
}
console.log(failed.length === 0 ? "\nall parts hold" : `\nfailed: ${failed.join(", ")}`);
process.exitCode = failed.length === 0 ? 0 : 1;
