import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { ROOT } from "../house/sources.js";
import { type TemporaryFolder, temporaryFolder } from "../support/temporary.js";

/** A fenced part of a document. */
export interface Fence {
  readonly language: string;
  readonly text: string;
}

/** The fenced parts of one section of docs/celery.md, in order. */
export async function fencesOf(heading: string): Promise<Fence[]> {
  const document = await readFile(join(ROOT, "docs", "celery.md"), "utf8");
  const [, section] = document.split(`\n## ${heading}\n`);
  const whole = section?.split("\n## ")[0] ?? "";
  return [...whole.matchAll(/^```(\w+)\n(.*?)^```/gms)].map(([, language = "", text = ""]) => ({ language, text }));
}

/** What a command printed, to both of its outputs. */
export interface Told {
  readonly code: number | null;
  readonly text: string;
}

/**
 * A newcomer's folder. taskwright and ioredis are installed in it, and Debian's Celery stands for that of the `venv`, by the rule that
 * the tutorial gives. Its Redis is a private one.
 */
export class Newcomer {
  readonly #folder: TemporaryFolder;
  readonly #redis: string;
  readonly #running: ChildProcess[] = [];

  private constructor(folder: TemporaryFolder, redis: string) {
    this.#folder = folder;
    this.#redis = redis;
  }

  /** @param redis - Its URL. */
  static async create(redis: string): Promise<Newcomer> {
    const folder = await temporaryFolder();
    const modules = join(folder.path, "node_modules");
    await mkdir(join(modules, ".bin"), { recursive: true });
    await mkdir(join(folder.path, "bin"));
    await symlink("/usr/bin/python3", join(folder.path, "bin", "python3"));
    await symlink(ROOT, join(modules, "taskwright"));
    await symlink(join(ROOT, "dist", "cli", "bin.js"), join(modules, ".bin", "taskwright"));
    await symlink(join(ROOT, "node_modules", "jiti", "lib", "jiti-cli.mjs"), join(modules, ".bin", "jiti"));
    await symlink(join(ROOT, "node_modules", "ioredis"), join(modules, "ioredis"));
    await writeFile(join(folder.path, "package.json"), "{}");
    return new Newcomer(folder, redis);
  }

  write(name: string, text: string): Promise<void> {
    return writeFile(join(this.#folder.path, name), text.replaceAll("redis://localhost:6379", this.#redis));
  }

  /** Pastes commands, and answers when they have ended. */
  async run(commands: string, input = ""): Promise<Told> {
    const child = this.start(commands);
    let text = "";
    for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk) => (text += String(chunk)));
    child.stdin?.end(input);
    const [code] = (await once(child, "close")) as [number | null];
    return { code, text };
  }

  /** Pastes a command that goes on. */
  start(commands: string): ChildProcess {
    const debian = commands.replaceAll("venv/bin/celery", "python3 -m celery").replaceAll("venv/bin/python", "python3");
    const { path } = this.#folder;
    const child = spawn("sh", ["-c", debian], {
      cwd: path,
      // A group of its own, so that what it starts is ended with it.
      detached: true,
      env: {
        ...process.env,
        PATH: [join(path, "bin"), dirname(process.execPath), process.env.PATH].join(delimiter),
        FORCE_COLOR: "0",
        // Python, from 3.13 on, takes any FORCE_COLOR for yes.
        PYTHON_COLORS: "0",
        PYTHONDONTWRITEBYTECODE: "1",
      },
    });
    this.#running.push(child);
    return child;
  }

  async leave(): Promise<void> {
    const alive = this.#running.filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null);
    const ended = alive.map((child) => once(child, "exit"));
    for (const { pid } of alive) if (pid !== undefined) process.kill(-pid, "SIGKILL");
    await Promise.all(ended);
    await this.#folder.remove();
  }
}
