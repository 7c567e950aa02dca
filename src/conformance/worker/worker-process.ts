import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { type Entry, ledgerTime, type What } from "./ledger.js";
import type { Opening, Orders, Ready } from "./orders.js";
import { within } from "./within.js";

/** How a process ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** On the clock of the ledger. */
  readonly at: number;
}

/** Which line of the ledger is meant. */
export interface Sight {
  readonly id?: string;
  readonly attempt?: number;
}

interface Watch {
  readonly matches: (entry: Entry) => boolean;
  readonly resolve: (entry: Entry) => void;
}

/** Children that live. None may outlive this process: a stopped one would for ever. */
const living = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of living) child.kill("SIGKILL");
});

/** A process of the suite, seen from its parent. */
export class WorkerProcess {
  readonly exit: Promise<Exit>;
  readonly #child: ChildProcess;
  readonly #seen: Entry[] = [];
  readonly #watches = new Set<Watch>();
  readonly #ready: Promise<void>;
  #complaints = "";
  #running = true;

  /** @param command - the program and its arguments, before the orders. */
  constructor(command: readonly string[], orders: Orders) {
    const [program = process.execPath, ...args] = command;
    this.#child = spawn(program, [...args, JSON.stringify(orders)], { stdio: ["ignore", "ignore", "pipe", "ipc"] });
    living.add(this.#child);
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#complaints += text;
    });
    this.exit = this.#ended();
    this.#ready = new Promise((resolve) => {
      this.#child.on("message", (message: Entry | Ready) => {
        if ("ready" in message) resolve();
        else this.#see(message);
      });
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get running(): boolean {
    return this.#running;
  }

  /** Resolves when it claims jobs. */
  ready(): Promise<void> {
    return this.#unlessGone(this.#ready, "to be ready");
  }

  /** Resolves with the first line like this that it tells, or has told. */
  saw(what: What, { id, attempt }: Sight = {}): Promise<Entry> {
    const matches = (entry: Entry) =>
      entry.what === what && (id ?? entry.id) === entry.id && (attempt ?? entry.attempt) === entry.attempt;
    const told = this.#seen.find(matches);
    if (told) return Promise.resolve(told);
    const entry = new Promise<Entry>((resolve) => this.#watches.add({ matches, resolve }));
    return this.#unlessGone(entry, `"${what}" of ${id ?? "any job"}`);
  }

  /** Lets the handler of a job go on. */
  open(id: string): void {
    this.#child.send({ open: id } satisfies Opening);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Kills it, stopped or not, and waits until it is gone. */
  async kill(): Promise<Exit> {
    this.#child.kill("SIGKILL");
    return this.exit;
  }

  /** Asks it to stop, and waits until it has. */
  async stop(): Promise<Exit> {
    this.#child.kill("SIGTERM");
    return within(this.exit, `process ${this.pid} to end after SIGTERM`);
  }

  async #ended(): Promise<Exit> {
    const [code, signal] = (await once(this.#child, "exit")) as [number | null, NodeJS.Signals | null];
    living.delete(this.#child);
    this.#running = false;
    return { code, signal, at: ledgerTime() };
  }

  #see(entry: Entry): void {
    this.#seen.push(entry);
    for (const watch of this.#watches) {
      if (!watch.matches(entry)) continue;
      this.#watches.delete(watch);
      watch.resolve(entry);
    }
  }

  #unlessGone<T>(promise: Promise<T>, what: string): Promise<T> {
    const gone = this.exit.then(({ code, signal }): never => {
      throw new Error(`process ${this.pid} ended (${signal ?? code}) before ${what}\n${this.#complaints}`);
    });
    return within(Promise.race([promise, gone]), `process ${this.pid}: ${what}`);
  }
}
