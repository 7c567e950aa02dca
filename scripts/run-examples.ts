/**
 * Runs every examples/*.ts against dist/. Each asserts its own outcome, must end by itself within 20 s, and must be
 * short.
 *
 *   npm run examples              all of them
 *   npm run examples -- labels    one
 */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { ROOT, run, tool } from "./shell.js";

const FOLDER = join(ROOT, "examples");
const MOST_LINES = 50;

async function runExample(name: string): Promise<boolean> {
  const started = performance.now();
  const lines = (await readFile(join(FOLDER, name), "utf8")).split("\n").length;
  const { code, output } = await run(tool("jiti"), [join(FOLDER, name)], { quiet: true, timeout: 20_000 });
  const ok = code === 0 && lines <= MOST_LINES;
  const time = `${((performance.now() - started) / 1000).toFixed(1)} s`;
  console.log(`${ok ? "ok    " : "FAILED"} ${name} (${lines} lines, ${time})`);
  if (lines > MOST_LINES) console.log(`it has more than ${MOST_LINES} lines`);
  if (code !== 0) console.log(output);
  return ok;
}

const wanted = process.argv.slice(2);
const names = (await readdir(FOLDER)).filter((name) => name.endsWith(".ts")).sort();
for (const name of names) {
  if (wanted.length > 0 && !wanted.includes(name.replace(/\.ts$/, ""))) continue;
  if (!(await runExample(name))) process.exitCode = 1;
}
