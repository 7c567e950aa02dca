/**
 * Uses the package as a newcomer would: packs it, installs it in an empty folder, pastes the two files of the README
 * there, checks their types as an editor would, runs them with a worker from the command line, and makes a few mistakes
 * on purpose. Needs dist/ to be built. Leaves nothing behind.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { packageTarball } from "./pack.js";
import { mustRun, ROOT, run, tool } from "./shell.js";

const STRICTEST = {
  target: "ES2022",
  module: "NodeNext",
  moduleResolution: "NodeNext",
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  verbatimModuleSyntax: true,
  skipLibCheck: false,
  noEmit: true,
  types: ["node"],
};

/**
 * npm 11 asks the user's own project about the install script of msgpackr's optional msgpackr-extract, which a package
 * cannot answer for its users; the README does. "nodedir" comes from the npmrc of some machines.
 */
const EXPECTED = /npm warn install-scripts( 1 package| {3}msgpackr-extract@| Run `npm|$)|"nodedir"/;

function check(condition: boolean, what: string, seen = ""): void {
  if (!condition) throw new Error(`${what} does not hold${seen === "" ? "" : `:\n${seen}`}`);
  console.log(`ok  ${what}`);
}

/** The block of the README whose first line is `// name`. */
async function fromReadme(name: string): Promise<string> {
  const readme = await readFile(join(ROOT, "README.md"), "utf8");
  const fences = [...readme.matchAll(/^```ts\n(.*?)^```/gms)].map((match) => match[1] ?? "");
  const found = fences.find((code) => code.startsWith(`// ${name}\n`));
  if (found === undefined) throw new Error(`README.md has no block that starts with "// ${name}"`);
  return found;
}

async function install(folder: string): Promise<void> {
  const tarball = await packageTarball(folder);
  await writeFile(join(folder, "package.json"), JSON.stringify({ name: "newcomer", private: true, type: "module" }));
  const output = await mustRun("npm", ["install", "--no-audit", "--no-fund", "--prefer-offline", tarball], {
    cwd: folder,
  });
  const worries = output.split("\n").filter((line) => /npm (warn|error)/i.test(line) && !EXPECTED.test(line));
  check(worries.length === 0, "npm install prints no warning but those the README explains", worries.join("\n"));
}

/** Imports all that the package exports, so that the types of each entry point are checked. */
async function everyEntryPoint(): Promise<string> {
  const manifest = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8")) as { exports: object };
  const entries = Object.keys(manifest.exports).filter((entry) => !entry.endsWith(".json"));
  return entries
    .map((entry) => `export * as _${entries.indexOf(entry)} from "taskwright${entry.slice(1)}";`)
    .join("\n");
}

async function checkTypes(folder: string): Promise<void> {
  await writeFile(join(folder, "all.ts"), await everyEntryPoint());
  const files = ["main.ts", "all.ts"];
  await writeFile(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions: STRICTEST, files }));
  const typeRoots = join(ROOT, "node_modules", "@types");
  const { code, output } = await run(tool("tsc"), ["-p", folder, "--typeRoots", typeRoots], {
    cwd: folder,
    quiet: true,
  });
  check(code === 0, "the README's example and every entry point pass the strictest NodeNext type check", output);
}

/** Starts the worker; what it wrote is shown if it fails. */
function startWorker(folder: string, cli: string): ChildProcess {
  const worker = spawn(cli, ["worker", "tasks.ts"], { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
  let seen = "";
  for (const stream of [worker.stdout, worker.stderr]) stream.on("data", (chunk: Buffer) => (seen += chunk));
  worker.on("exit", (code) => code !== 0 && console.log(`the worker ended with ${code}:\n${seen}`));
  return worker;
}

async function runExample(folder: string, cli: string): Promise<void> {
  const worker = startWorker(folder, cli);
  try {
    const jiti = join(folder, "node_modules", ".bin", "jiti");
    const { code, output } = await run(jiti, ["main.ts"], { cwd: folder, quiet: true, timeout: 30_000 });
    check(code === 0 && output === "5\n5\nHello Ada\n", "the README's example runs with a worker of its own", output);
    worker.kill("SIGTERM");
    const [exitCode] = await once(worker, "exit");
    check(exitCode === 0, "the worker ends with exit code 0 when told to stop");
  } finally {
    worker.kill("SIGKILL");
  }
}

/** Each mistake gets one clear line, no stack trace, and an exit code other than 0. */
async function makeMistakes(folder: string, cli: string): Promise<void> {
  const mistakes: readonly (readonly [args: readonly string[], expected: RegExp])[] = [
    [["worker", "nowhere.ts"], /nowhere\.ts/],
    [["worker", "tasks.ts", "--concurency", "3"], /--concurrency/],
    [["worker", "tasks.ts", "--concurrency", "many"], /concurrency/],
    [["wroker"], /worker/],
    [["worker", "tasks.ts", "--broker", "sqlite:/no/such/folder/x.db"], /no\/such\/folder/],
  ];
  for (const [args, expected] of mistakes) {
    const { code, output } = await run(cli, args, { cwd: folder, quiet: true, timeout: 20_000 });
    const clear = code !== 0 && expected.test(output) && !/^\s+at /m.test(output);
    check(clear, `taskwright ${args.join(" ")} explains itself`, `exit code ${code}\n${output}`);
  }
}

const folder = await mkdtemp(join(tmpdir(), "taskwright-newcomer-"));
try {
  await install(folder);
  for (const name of ["tasks.ts", "main.ts"]) await writeFile(join(folder, name), await fromReadme(name));
  const cli = join(folder, "node_modules", ".bin", "taskwright");
  const help = await mustRun(cli, ["--help"], { cwd: folder });
  check(/worker/.test(help) && /doctor/.test(help), "taskwright --help lists the commands", help);
  await checkTypes(folder);
  await runExample(folder, cli);
  await makeMistakes(folder, cli);
} finally {
  await rm(folder, { recursive: true, force: true });
}
