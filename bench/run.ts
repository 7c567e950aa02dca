/**
 * `npm run bench -- <driver> [--peer NAME] [--jobs N] [--json]`: our figure, the peer's and the ratio, in one run.
 * `--help` says more, and docs/performance.md what each figure means.
 */
import { rmSync } from "node:fs";
import { isStale } from "../scripts/build.js";
import { run as runProgram, tool } from "../scripts/shell.js";
import { type Command, parseCommandLine, USAGE, UsageError } from "./command-line.js";
import { compile } from "./compile.js";
import { installPeers } from "./install.js";
import { COMPILED } from "./paths.js";
import { report } from "./report.js";
import { measure } from "./rounds.js";

function tell(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** In a process of its own: standard output is for the figures. */
async function build(): Promise<void> {
  tell("building dist/");
  const { code, output } = await runProgram(tool("jiti"), ["scripts/build.ts"], { quiet: true });
  if (code !== 0) throw new Error(`dist/ could not be built:\n${output.trimEnd()}`);
}

async function run(command: Command): Promise<void> {
  if (await isStale()) await build();
  await installPeers(command.peers, tell);
  const entries = await measure(command, await compile());
  if (command.json) for (const entry of entries) console.log(JSON.stringify(entry));
  else console.log(await report(command, entries));
}

process.on("exit", () => rmSync(COMPILED, { recursive: true, force: true }));
process.on("SIGINT", () => process.exit(130));

try {
  const command = parseCommandLine(process.argv.slice(2));
  if (command === "help") console.log(USAGE);
  else await run(command);
} catch (error) {
  tell(`bench: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
