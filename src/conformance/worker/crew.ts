import type { StartOptions, WorkerContext } from "./context.js";
import type { WorkerProcess } from "./worker-process.js";

/** Processes that are replaced when they die, as a supervisor of services would. */
export class Crew {
  readonly #context: WorkerContext;
  readonly #options: StartOptions;
  readonly #members: WorkerProcess[] = [];
  #disbanded = false;

  private constructor(context: WorkerContext, options: StartOptions) {
    this.#context = context;
    this.#options = options;
  }

  static async start(context: WorkerContext, count: number, options: StartOptions = {}): Promise<Crew> {
    const crew = new Crew(context, options);
    for (let index = 0; index < count; index++) crew.#fill(index);
    await Promise.all(crew.#members.map((member) => member.ready()));
    return crew;
  }

  get members(): readonly WorkerProcess[] {
    return this.#members;
  }

  /** Stops every member in order, and replaces none. */
  async stop(): Promise<void> {
    this.#disbanded = true;
    await Promise.all(this.#members.filter((member) => member.running).map((member) => member.stop()));
  }

  /** Replaces nobody any more: for when the context kills the rest. */
  disband(): void {
    this.#disbanded = true;
  }

  #fill(index: number): void {
    const member = this.#context.launch(this.#options);
    this.#members[index] = member;
    void member.exit.then(() => {
      if (!this.#disbanded) this.#fill(index);
    });
  }
}
