import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const BIN = join(ROOT, "dist", "cli", "bin.js");
const JITI = join(ROOT, "node_modules", "jiti", "lib", "jiti-cli.mjs");

/** Modules that the tests give to the command line. They import "taskwright", which is dist/ for them. */
export const FIXTURES = fileURLToPath(new URL("./fixtures", import.meta.url));
export const TASKS = join(FIXTURES, "tasks.ts");

/** Builds dist/ if a source is newer: the tests run the command line that users run. */
export async function buildCommandLine(): Promise<void> {
  const build = spawn(process.execPath, [JITI, "scripts/build.ts", "--if-stale"], { cwd: ROOT, stdio: "inherit" });
  const [code] = await once(build, "exit");
  if (code !== 0) throw new Error("dist/ could not be built");
}

/** What a command did. */
export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command that still runs. */
export interface Running {
  readonly child: ChildProcess;
  /** Resolves with the match once its output so far matches; rejects if it ends before. */
  says(pattern: RegExp): Promise<RegExpExecArray>;
  readonly ended: Promise<Ran>;
}

/** A folder of its own with a SQLite file for the jobs, and the command line to work on it. */
export class Workplace {
  readonly folder: string;
  readonly broker: string;
  readonly #running = new Set<ChildProcess>();

  private constructor(folder: string) {
    this.folder = folder;
    this.broker = `sqlite:${join(folder, "jobs.db")}`;
  }

  static async create(): Promise<Workplace> {
    return new Workplace(await mkdtemp(join(tmpdir(), "taskwright-cli-")));
  }

  /** Runs a command to its end. */
  run(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ran> {
    return this.start(args, env).ended;
  }

  /** Runs a command that must succeed, with `--json`, and answers with its document. */
  async json(args: readonly string[]): Promise<unknown> {
    const { code, stdout, stderr } = await this.run([...args, "--json"]);
    if (code !== 0) throw new Error(`taskwright ${args.join(" ")} ended with ${code}: ${stderr}`);
    return JSON.parse(stdout);
  }

  start(args: readonly string[], env: Readonly<Record<string, string>> = {}): Running {
    const child = spawn(process.execPath, [BIN, ...args], {
      cwd: this.folder,
      env: { ...process.env, FORCE_COLOR: "0", TASKWRIGHT_BROKER: this.broker, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#running.add(child);
    return watch(child);
  }

  /** Ends what still runs and removes the folder. */
  async remove(): Promise<void> {
    const alive = [...this.#running].filter((child) => child.exitCode === null && child.signalCode === null);
    await Promise.all(
      alive.map((child) => {
        const gone = once(child, "exit");
        child.kill("SIGKILL");
        return gone;
      }),
    );
    await rm(this.folder, { recursive: true, force: true });
  }
}

function watch(child: ChildProcess): Running {
  const text = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name]?.setEncoding("utf8").on("data", (chunk: string) => {
      text[name] += chunk;
      child.emit("said");
    });
  }
  const ended = once(child, "close").then(([code]): Ran => ({ code: code as number | null, ...text }));
  const says = async (pattern: RegExp): Promise<RegExpExecArray> => {
    for (;;) {
      const match = pattern.exec(text.stdout + text.stderr);
      if (match) return match;
      const gone = ended.then(() => {
        throw new Error(`it ended without saying ${pattern}:\n${text.stdout}${text.stderr}`);
      });
      await Promise.race([once(child, "said"), gone]);
    }
  };
  return { child, says, ended };
}
