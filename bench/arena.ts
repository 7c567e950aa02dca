import { type ChildProcess, fork } from "node:child_process";
import type { Acts } from "./acts.js";
import type { Terms } from "./contestant.js";
import type { DatabaseWork, Place } from "./drivers.js";
import { BENCH } from "./paths.js";

/** The name of an act, or the end of the session. */
type ActName = keyof Acts | "close";

export interface Opening extends Terms {
  readonly contestant: string;
}

export interface Request {
  readonly act: ActName;
  readonly numbers: readonly number[];
}

export interface Answer {
  readonly value?: unknown;
  readonly error?: string;
}

type Result<Name extends keyof Acts> = Awaited<ReturnType<Acts[Name]>>;

/** A peer that enqueues 1,000 jobs a second is given the time for 100,000 of them, thrice. */
const PATIENCE = 300_000;

/** A process of a contestant. */
export class Child {
  readonly #process: ChildProcess;
  readonly #who: string;

  private constructor(program: string, opening: Opening) {
    this.#who = opening.contestant;
    this.#process = fork(program, [JSON.stringify(opening)], {
      cwd: BENCH,
      env: withoutSettings(process.env),
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
  }

  static async start(program: string, opening: Opening): Promise<Child> {
    const child = new Child(program, opening);
    await child.#answer("open");
    return child;
  }

  async act<Name extends keyof Acts>(act: Name, ...numbers: Parameters<Acts[Name]>): Promise<Result<Name>> {
    return (await this.#ask({ act, numbers })) as Result<Name>;
  }

  /** Closes the session and ends the process. */
  async close(): Promise<void> {
    await this.#ask({ act: "close", numbers: [] });
    const ended = new Promise((resolve) => this.#process.once("exit", resolve));
    this.#process.disconnect();
    await ended;
  }

  kill(): void {
    this.#process.kill("SIGKILL");
  }

  #ask(request: Request): Promise<unknown> {
    this.#process.send(request);
    return this.#answer(request.act);
  }

  #answer(what: string): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const fail = (why: string): void => end(() => reject(new Error(`${this.#who}, ${what}: ${why}`)));
      const onExit = (code: number | null): void => fail(`its process ended with ${code ?? "a signal"}`);
      const onMessage = ({ value, error }: Answer): void => {
        if (error === undefined) end(() => resolve(value));
        else fail(error);
      };
      const timer = setTimeout(() => fail(`not done within ${PATIENCE / 1000} s`), PATIENCE);
      const end = (settle: () => void): void => {
        clearTimeout(timer);
        this.#process.off("message", onMessage).off("exit", onExit);
        settle();
      };
      this.#process.on("message", onMessage).on("exit", onExit);
    });
  }
}

/** A setting of ours in somebody's shell must not change the figures. */
function withoutSettings(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith("TASKWRIGHT_")));
}

/** Who is to be measured. */
export interface Side {
  readonly contestant: string;
  /** The address of the place, as this contestant wants it. */
  readonly address: (place: Place) => string;
}

/** Where one measure of one contestant takes place: a fresh place, and fresh processes for producer and worker. */
export class Arena {
  readonly #program: string;
  readonly #opening: Opening;
  readonly #place: Place;
  readonly #children: Child[] = [];

  constructor(program: string, side: Side, place: Place, keepResults: boolean) {
    this.#program = program;
    this.#place = place;
    this.#opening = { contestant: side.contestant, place: side.address(place), keepResults };
  }

  producer(): Promise<Child> {
    return this.#start();
  }

  /** Another process, except where the place is within the producer's. */
  async worker(): Promise<Child> {
    const [first] = this.#children;
    return this.#place.oneProcess && first !== undefined ? first : this.#start();
  }

  /** Runs `fill`, and answers by how many bytes the place has grown. */
  async growth(producer: Child, fill: () => Promise<void>): Promise<number> {
    const { bytes } = this.#place;
    if (bytes === undefined) {
      const before = await producer.act("heapBytes");
      await fill();
      return (await producer.act("heapBytes")) - before;
    }
    await fill();
    // Closing brings everything into the place, such as SQLite's log into its file.
    await this.#close(producer);
    return bytes();
  }

  /** Of the place, as the contestant wants it. */
  get address(): string {
    return this.#opening.place;
  }

  /** Keeps the place's database from cleaning up what is deleted, until what it answers is called. */
  async pin(): Promise<() => Promise<void>> {
    if (this.#place.pin === undefined) throw new Error("this place has no transactions that could stay open");
    return this.#place.pin();
  }

  /** What the place's database has done so far. Absent: it does not say. */
  async workSoFar(): Promise<DatabaseWork | undefined> {
    return this.#place.work?.();
  }

  /** Ends the processes, so that all they did is counted. */
  async endChildren(): Promise<void> {
    for (const child of [...this.#children]) await this.#close(child);
  }

  async close(): Promise<void> {
    try {
      await this.endChildren();
    } finally {
      for (const child of this.#children) child.kill();
      await this.#place.remove();
    }
  }

  async #start(): Promise<Child> {
    const child = await Child.start(this.#program, this.#opening);
    this.#children.push(child);
    return child;
  }

  async #close(child: Child): Promise<void> {
    await child.close();
    this.#children.splice(this.#children.indexOf(child), 1);
  }
}
