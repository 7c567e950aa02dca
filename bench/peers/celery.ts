import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Peer } from "../contestant.js";

/** Debian's, which finds Debian's Celery whatever other Python comes first in the PATH. */
const PYTHON = "/usr/bin/python3";

/** The processes of one session. */
class Programs {
  readonly #broker: string;
  readonly #running: ChildProcess[] = [];
  #program: ChildProcess | undefined;

  constructor(broker: string) {
    this.#broker = broker;
  }

  /** One command to the program that enqueues, and its answer. */
  async ask(...command: readonly (string | number)[]): Promise<number> {
    this.#program ??= this.#start(["program.py"]);
    const { stdin, stdout } = this.#program;
    if (stdin === null || stdout === null) throw new Error("python was started without pipes");
    const lines = createInterface(stdout);
    const answered = Promise.race([
      once(lines, "line").then(([line]) => Number(JSON.parse(String(line)))),
      once(this.#program, "exit").then(([code]) => Promise.reject(new Error(`Celery's program ended with ${code}`))),
    ]);
    stdin.write(`${JSON.stringify(command)}\n`);
    return answered.finally(() => lines.close());
  }

  /** A worker of two processes which is ready, and takes from no queue of jobs yet. */
  async startWorker(): Promise<void> {
    const options = ["--pool", "prefork", "--concurrency", "2", "--queues", "none", "--loglevel", "INFO"];
    const off = ["--without-gossip", "--without-mingle", "--without-heartbeat"];
    const worker = this.#start(["-m", "celery", "--app", "tasks", "worker", ...options, ...off]);
    let log = "";
    for (const stream of [worker.stdout, worker.stderr]) stream?.on("data", (text) => (log += String(text)));
    while (!/ ready\./.test(log)) {
      if (worker.exitCode !== null) throw new Error(`the Celery worker ended:\n${log}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    // Each job would be a line.
    for (const stream of [worker.stdout, worker.stderr]) stream?.removeAllListeners("data").resume();
  }

  async close(): Promise<void> {
    const alive = this.#running.filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null);
    const ended = alive.map((child) => once(child, "exit"));
    for (const { pid } of alive) if (pid !== undefined) process.kill(-pid, "SIGKILL");
    await Promise.all(ended);
  }

  /** In a group of its own, so that a worker's pool can be ended with it. */
  #start(args: readonly string[]): ChildProcess {
    const child = spawn(PYTHON, args, {
      cwd: join(process.cwd(), "peers", "celery"),
      detached: true,
      stdio: ["pipe", "pipe", args[0] === "program.py" ? "inherit" : "pipe"],
      env: { ...process.env, BROKER: this.#broker, C_FORCE_ROOT: "1", PYTHONDONTWRITEBYTECODE: "1" },
    });
    this.#running.push(child);
    return child;
  }
}

/** Python's Celery, in processes of its own that measure their own time: what passes between them and us is not counted. */
export const celery: Peer = {
  name: "celery",
  drivers: ["rabbitmq"],
  packages: [],
  version: () => execFileSync(PYTHON, ["-m", "celery", "--version"], { encoding: "utf8" }).trim(),
  settings:
    "one producer, persistent messages without confirms (its default, and faster); worker prefork 2, prefetch 100, acks_late, " +
    "ignore_result, no gossip, mingle, heartbeat or events",
  keepsResults: false,
  measures: ["enqueue", "enqueue-50k", "process"],
  async open({ place }) {
    const programs = new Programs(place);
    return {
      enqueue: () => programs.ask("publish", 1),
      enqueueAlone: (jobs) => programs.ask("publish", jobs),
      startWorker: () => programs.startWorker(),
      settleAlone: async (jobs) => {
        await programs.startWorker();
        return programs.ask("work", jobs);
      },
      remaining: () => programs.ask("remaining"),
      close: () => programs.close(),
    };
  },
};
