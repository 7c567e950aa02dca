import { type ChildProcess, execFile, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { install } from "../support/programs.js";
import { until } from "../support/until.js";

const run = promisify(execFile);

/** Debian's: it is the one that finds Debian's packages, whatever other Python comes first in the PATH. */
const PYTHON = "/usr/bin/python3";
/** yaml is what a producer may have, and our workers never read. */
const PACKAGES = "python3-celery python3-redis python3-msgpack python3-yaml";
const FOLDER = fileURLToPath(new URL("./python", import.meta.url));

/** How long a worker or a client may take to be there, in ms: importing Celery takes a second, more on a busy machine. */
const START = 30_000;

/** What the Python side is to know. */
export interface PythonPlace {
  /** The URL of the broker, as Celery writes it. */
  readonly broker: string;
  readonly backend?: string;
  readonly env?: Readonly<Record<string, string>>;
}

let ready: Promise<void> | undefined;

/** Makes sure that there is Celery, and installs it where it is missing. */
export function requireCelery(): Promise<void> {
  ready ??= (async () => {
    const has = () =>
      run(PYTHON, ["-c", "import celery, redis, msgpack, yaml"]).then(
        () => true,
        () => false,
      );
    if (await has()) return;
    const why = await install(PACKAGES);
    if (!(await has())) throw new Error(`Celery is not installed: apt-get install ${PACKAGES}${why}`);
  })();
  return ready;
}

/** An error that Python raised. */
export class PythonError extends Error {
  constructor(
    readonly type: string,
    readonly module: string,
    readonly args: readonly string[],
  ) {
    super(`${module}.${type}(${args.join(", ")})`);
  }
}

/** A Python process that evaluates expressions with the tasks of `tasks.py` at hand. */
export class PythonClient {
  readonly #process: ChildProcess;
  readonly #answers: ((line: string) => void)[] = [];
  #errors = "";

  private constructor(place: PythonPlace) {
    this.#process = start(["client.py"], place);
    const { stdout, stderr } = this.#process;
    if (stdout === null || stderr === null) throw new Error("python was started without pipes");
    createInterface(stdout).on("line", (line) => this.#answers.shift()?.(line));
    stderr.on("data", (text) => {
      this.#errors += String(text);
    });
    this.#process.once("exit", () => {
      for (const answer of this.#answers)
        answer(JSON.stringify({ error: { type: "Exit", module: "?", args: [this.#errors] } }));
    });
  }

  static async open(place: PythonPlace): Promise<PythonClient> {
    await requireCelery();
    return new PythonClient(place);
  }

  /** What an expression is worth. Throws PythonError where it raises. */
  async eval(expression: string): Promise<unknown> {
    const line = await new Promise<string>((resolve) => {
      this.#answers.push(resolve);
      this.#process.stdin?.write(`${JSON.stringify(expression)}\n`);
    });
    const answer = JSON.parse(line) as { value: unknown; error?: { type: string; module: string; args: string[] } };
    if (answer.error) throw new PythonError(answer.error.type, answer.error.module, answer.error.args);
    return answer.value;
  }

  close(): void {
    this.#process.kill("SIGKILL");
  }
}

/** Runs `celery -A tasks ...`, and answers what it prints. */
export async function celeryCommand({ broker, backend, env }: PythonPlace, args: readonly string[]): Promise<string> {
  await requireCelery();
  const options = {
    cwd: FOLDER,
    env: { ...process.env, PYTHONDONTWRITEBYTECODE: "1", BROKER: broker, BACKEND: backend ?? broker, ...env },
  };
  const { stdout } = await run(PYTHON, ["-m", "celery", "-A", "tasks", ...args], options);
  return stdout;
}

/** A Celery worker. */
export class PythonWorker {
  readonly #process: ChildProcess;
  #log = "";

  private constructor(place: PythonPlace, args: readonly string[]) {
    this.#process = start(["-m", "celery", "-A", "tasks", "worker", "-l", "INFO", "-c", "2", ...args], place);
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      stream?.on("data", (text) => {
        this.#log += String(text);
      });
    }
  }

  /** Resolves when it takes messages. */
  static async open(place: PythonPlace, args: readonly string[] = []): Promise<PythonWorker> {
    await requireCelery();
    const worker = new PythonWorker(place, args);
    await until(
      "the Celery worker",
      async () => / ready\./.test(worker.log) || Promise.reject(new Error(worker.log)),
      START,
    );
    return worker;
  }

  get log(): string {
    return this.#log;
  }

  /** Kills it and the processes of its pool at once. */
  async kill(): Promise<void> {
    const { pid } = this.#process;
    if (pid === undefined || this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#process.once("exit", resolve));
    process.kill(-pid, "SIGKILL");
    await ended;
  }
}

/** In a group of its own, so that a worker's pool can be killed with it; a pipe to it ends when this process does. */
function start(args: readonly string[], { broker, backend, env }: PythonPlace): ChildProcess {
  return spawn(PYTHON, args, {
    cwd: FOLDER,
    detached: true,
    stdio: ["pipe", "pipe", "pipe"],
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      C_FORCE_ROOT: "1",
      PYTHONDONTWRITEBYTECODE: "1",
      BROKER: broker,
      BACKEND: backend ?? broker,
      ...env,
    },
  });
}
