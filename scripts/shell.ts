import { spawn } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository's root folder. */
export const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** The program of a development dependency, as npm installed it. */
export function tool(name: string): string {
  return join(ROOT, "node_modules", ".bin", name);
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Collect the output instead of showing it. Default `false`. */
  readonly quiet?: boolean;
  /** Milliseconds after which it is killed. Default: never. */
  readonly timeout?: number;
}

export interface Finished {
  readonly code: number;
  /** What it wrote to both streams, where `quiet`; else empty. */
  readonly output: string;
}

/** Runs a program to its end, without a shell and without input. A signal counts as exit code 1. */
export function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const stream = options.quiet ? "pipe" : "inherit";
    const child = spawn(command, args, {
      cwd: options.cwd ?? ROOT,
      env: options.env ?? process.env,
      stdio: ["ignore", stream, stream],
      timeout: options.timeout,
      killSignal: "SIGKILL",
    });
    const chunks: Buffer[] = [];
    child.stdout?.on("data", (chunk: Buffer) => chunks.push(chunk));
    child.stderr?.on("data", (chunk: Buffer) => chunks.push(chunk));
    child.on("error", reject);
    child.on("close", (code) => resolve({ code: code ?? 1, output: Buffer.concat(chunks).toString("utf8") }));
  });
}

/** Like `run`, quietly, and throws with the output when it fails. Answers the output. */
export async function mustRun(command: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const { code, output } = await run(command, args, { ...options, quiet: true });
  if (code !== 0) throw new Error(`${[command, ...args].join(" ")} ended with exit code ${code}:\n${output}`);
  return output;
}
