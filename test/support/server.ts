import { type ChildProcess, spawn } from "node:child_process";
import { open, readFile } from "node:fs/promises";
import { Socket } from "node:net";
import { join } from "node:path";
import { freePort } from "./ports.js";
import { findProgram, type Program, versionOf } from "./programs.js";
import { type TemporaryFolder, temporaryFolder } from "./temporary.js";
import { until } from "./until.js";

/** A server that one test run, or one test, has for itself. */
export interface PrivateServer {
  /** Such as "redis-server 7.0.15". */
  readonly version: string;
  /** Where clients connect to: 127.0.0.1 and a free port, which stays the same over restarts. */
  readonly url: string;
  /** Resolves when the server answers, not when its process exists. */
  start(): Promise<void>;
  /** Ends it in order, and waits for its end. Also one that SIGSTOP holds. */
  stop(): Promise<void>;
  /** Stop and start, on the same data. */
  restart(): Promise<void>;
  /** Sends a signal to its process. Resolves when a deadly one has ended it. */
  kill(signal: Signal): Promise<void>;
  /** Ends it at once if it runs, and removes its data. */
  remove(): Promise<void>;
}

/** SIGSTOP holds a server, SIGCONT lets it go on; the others are deadly. */
export type Signal = "SIGKILL" | "SIGTERM" | "SIGINT" | "SIGSTOP" | "SIGCONT";

/** Where a server is at home. */
export interface Site {
  readonly port: number;
  /** For data, configuration and the log, and the folder in which the server is started. */
  readonly folder: string;
}

/** How to start a kind of server. */
export interface Recipe {
  readonly program: Program;
  /** Such as "rabbitmq-server 3.10.8". Default: what the program's `--version` says. */
  version?(): Promise<string>;
  /** Once, before the first start: writes configuration, makes an empty database. */
  prepare(site: Site): Promise<void>;
  /** The program's arguments. */
  arguments(site: Site): readonly string[];
  /** What starts the program, where that is not the program by itself: a command that changes the user. */
  command?(path: string): readonly string[];
  /** What ends it in order, without waiting for its clients. Default: SIGTERM. */
  readonly stopSignal?: Signal;
  /** What it finds in its environment beside ours. */
  environment?(site: Site): Readonly<Record<string, string>>;
  /** How long a start may take, in ms. Default 20 s. */
  readonly deadline?: number;
  url(site: Site): string;
  /** Throws until the server answers, and answers as process `pid`: another server may have the port. */
  ask(site: Site, pid: number): Promise<void>;
}

/** How long a start may take, in ms, before it has failed. */
const DEADLINE = 20_000;
/** How many ports are tried when others are faster. */
const ATTEMPTS = 5;
const LOG = "log";
/** How much of the log a failed start shows. */
const LINES = 20;

/**
 * The server is this shell: `exec` keeps the process. A subshell stays beside it and reads from a pipe of the test process.
 * It hears a line when the server is over, and the pipe's end when the test process is, however that ended: then it kills
 * the server and removes its folder. A second `rm` is for what the server wrote while the first was at work.
 */
const GUARDED = `
folder=$1; shift
(
  trap "" INT HUP TERM
  read -r over && exit
  kill -KILL $$
  rm -rf "$folder" || { sleep 1; rm -rf "$folder"; }
) <&3 >/dev/null 2>&1 &
exec "$@" 3<&-
`;

/**
 * Starts a server on a free port with a folder of its own. It ends with this process at the latest.
 *
 * @throws Error when the program is missing, or the server does not answer, with the last lines of its log
 */
export async function startServer(recipe: Recipe): Promise<PrivateServer & { readonly site: Site }> {
  const path = await findProgram(recipe.program);
  const version = await (recipe.version?.() ?? versionOf(recipe.program));
  for (let attempt = 1; ; attempt++) {
    const server = new ServerProcess(recipe, path, version, await freePort(), await temporaryFolder());
    try {
      await recipe.prepare(server.site);
      await server.start();
      return server;
    } catch (error) {
      await server.remove();
      if (attempt === ATTEMPTS || !/address already in use|eaddrinuse/i.test(String(error))) throw error;
    }
  }
}

/** A server as one process. */
class ServerProcess implements PrivateServer {
  readonly site: Site;
  readonly url: string;
  readonly #recipe: Recipe;
  readonly #path: string;
  readonly #folder: TemporaryFolder;
  /** While it runs. */
  #process: ChildProcess | undefined;
  /** Resolves when the process has ended, with how. */
  #ended: Promise<string> = Promise.resolve("never started");

  constructor(
    recipe: Recipe,
    path: string,
    readonly version: string,
    port: number,
    folder: TemporaryFolder,
  ) {
    this.#recipe = recipe;
    this.#path = path;
    this.#folder = folder;
    this.site = { port, folder: folder.path };
    this.url = recipe.url(this.site);
  }

  async start(): Promise<void> {
    if (this.#process) throw new Error(`${this.version} runs already`);
    const pid = await this.#spawn();
    try {
      await until("an answer", () => this.#answersOrEnded(pid), this.#recipe.deadline ?? DEADLINE);
      if (!this.#process) throw new Error(await this.#ended);
    } catch (error) {
      const log = await this.#lastLines();
      await this.#killIfRunning();
      throw new Error(`${this.version} did not start: ${error instanceof Error ? error.message : error}\n${log}`);
    }
  }

  async stop(): Promise<void> {
    const ended = this.kill(this.#recipe.stopSignal ?? "SIGTERM");
    // One that is held gets the signal when it goes on.
    if (this.#process) await this.kill("SIGCONT");
    await ended;
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  async kill(signal: Signal): Promise<void> {
    const child = this.#process;
    if (!child?.kill(signal)) throw new Error(`${this.version} does not run: ${await this.#ended}`);
    if (signal === "SIGSTOP" || signal === "SIGCONT") return;
    child.ref();
    await this.#ended;
  }

  async remove(): Promise<void> {
    await this.#killIfRunning();
    await this.#folder.remove();
  }

  async #killIfRunning(): Promise<void> {
    if (this.#process) await this.kill("SIGKILL");
  }

  async #answersOrEnded(pid: number): Promise<true> {
    if (this.#process) await this.#recipe.ask(this.site, pid);
    return true;
  }

  async #spawn(): Promise<number> {
    const { folder } = this.site;
    const log = await open(join(folder, LOG), "a");
    const command = this.#recipe.command?.(this.#path) ?? [this.#path];
    const args = ["-c", GUARDED, "guarded", folder, ...command, ...this.#recipe.arguments(this.site)];
    const env = { ...process.env, ...this.#recipe.environment?.(this.site) };
    const child = spawn("/bin/sh", args, { cwd: folder, env, stdio: ["ignore", log.fd, log.fd, "pipe"] });
    await log.close();
    this.#process = child;
    this.#ended = new Promise((resolve) => {
      child.once("exit", (code, signal) => {
        this.#process = undefined;
        guardOf(child).end("over\n");
        resolve(signal === null ? `it ended with exit code ${code}` : `it was ended by ${signal}`);
      });
    });
    // The test process may end before it, and it ends then too.
    child.unref();
    guardOf(child).unref();
    if (child.pid === undefined) throw new Error("/bin/sh could not be started");
    return child.pid;
  }

  async #lastLines(): Promise<string> {
    const log = await readFile(join(this.site.folder, LOG), "utf8");
    return log.trimEnd().split("\n").slice(-LINES).join("\n");
  }
}

/** The pipe to the subshell beside the server. */
function guardOf(child: ChildProcess): Socket {
  const pipe = child.stdio[3];
  if (!(pipe instanceof Socket)) throw new Error("the server was started without its pipe");
  return pipe;
}
