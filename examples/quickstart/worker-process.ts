import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const CLI = fileURLToPath(new URL("../../dist/cli/bin.js", import.meta.url));

/** A worker as a process of its own, started as a user would: `taskwright worker tasks.ts`. */
export class WorkerProcess {
  readonly #child: ChildProcess;
  readonly #ended: Promise<number>;
  /** Resolves when it has said that it runs. */
  readonly ready: Promise<void>;
  #log = "";

  constructor(tasks: string) {
    const args = [CLI, "worker", tasks, "--concurrency", "20", "--grace", "2s"];
    this.#child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
    this.ready = new Promise((resolve) => {
      for (const stream of [this.#child.stdout, this.#child.stderr]) {
        stream?.on("data", (chunk: Buffer) => {
          this.#log = (this.#log + chunk.toString()).slice(-4_000);
          if (this.#log.includes("worker started")) resolve();
        });
      }
    });
    this.#ended = new Promise((resolve, reject) => {
      this.#child.on("error", reject);
      this.#child.on("close", (code) => resolve(code ?? 1));
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Rejects, with what the worker wrote last, if it ends before it is told to. */
  async failed(): Promise<never> {
    const code = await this.#ended;
    throw new Error(`the worker ended with exit code ${code}:\n${this.#log}`);
  }

  /** Asks it to finish what it runs and to leave, as a process manager would, and waits until it has. */
  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill("SIGTERM");
    const impatience = setTimeout(() => this.#child.kill("SIGKILL"), 5_000);
    await this.#ended.catch(() => {});
    clearTimeout(impatience);
  }
}
