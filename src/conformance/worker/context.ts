import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Taskwright } from "../../app.js";
import type { WorkerConfig } from "../../config/schema.js";
import type { Capabilities } from "../../contracts/capabilities.js";
import type { Job } from "../../job/handle.js";
import type { Outcome } from "../../job/outcome.js";
import { type Entry, ledgerTime, readLedger } from "./ledger.js";
import { type Audit, audit, type Run, runsOf } from "./oracle.js";
import type { Orders } from "./orders.js";
import type { SharedPlace } from "./place.js";
import type { OpenUrl } from "./process.js";
import { defineTasks, type Mark, type Tasks } from "./tasks.js";
import { within } from "./within.js";
import { type Exit, WorkerProcess } from "./worker-process.js";

/** What a case stands on. */
export interface WorkerContextOptions {
  readonly place: SharedPlace;
  readonly capabilities: Capabilities;
  /** The program of the processes and its arguments. */
  readonly command: readonly string[];
  /** Opens the place in this process. Default: by its URL. */
  readonly openUrl?: OpenUrl | undefined;
  /** Takes what a case measured, as a sentence. */
  readonly report?: ((figure: string) => void) | undefined;
}

/** How a process works. */
export interface StartOptions extends WorkerConfig {
  /** Whether it tells what it writes into the ledger. Default `true`; not for thousands of jobs. */
  readonly tell?: boolean;
}

/** Dead letters and cancelled jobs, for messages of failed assertions. */
type Ended = Outcome<Mark>;

/** What a case works with: a fresh place, an app that enqueues, processes that run jobs, and their ledger. */
export class WorkerContext {
  readonly lease: number;
  readonly capabilities: Capabilities;
  readonly ledger: string;
  readonly #options: WorkerContextOptions;
  readonly #processes = new Set<WorkerProcess>();
  readonly #exits = new Map<number, Exit>();
  #app: Taskwright;
  #tasks: Tasks;

  private constructor(options: WorkerContextOptions, ledger: string) {
    this.#options = options;
    this.capabilities = options.capabilities;
    this.lease = options.place.lease ?? 1000;
    this.ledger = ledger;
    this.#app = this.#newApp();
    this.#tasks = defineTasks(this.#app);
  }

  static async open(options: WorkerContextOptions): Promise<WorkerContext> {
    return new WorkerContext(options, await mkdtemp(join(tmpdir(), "taskwright-conformance-")));
  }

  /** The app of this process. It enqueues and watches, and runs nothing. */
  get app(): Taskwright {
    return this.#app;
  }

  get tasks(): Tasks {
    return this.#tasks;
  }

  /** Kills what runs, and removes the place and the ledger. */
  async close(): Promise<void> {
    try {
      await this.killAll();
      await this.#app.close();
    } finally {
      await this.#options.place.remove?.();
      await rm(this.ledger, { recursive: true, force: true });
    }
  }

  /** Kills every process, closes every connection, restarts the server where there is one, and begins with a new app. */
  async restart(): Promise<void> {
    await this.killAll();
    await this.#app.close();
    await this.#options.place.restart?.();
    this.#app = this.#newApp();
    this.#tasks = defineTasks(this.#app);
  }

  // Processes

  /** Starts a process and waits until it claims jobs. Its sweeps and heartbeats come four times a lease. */
  async start(options: StartOptions = {}): Promise<WorkerProcess> {
    const started = this.launch(options);
    await started.ready();
    return started;
  }

  /** Starts a process. */
  launch({ tell = true, ...options }: StartOptions = {}): WorkerProcess {
    const { lease } = this;
    const worker = { concurrency: 10, lease, heartbeat: lease / 4, sweep: lease / 4, grace: "15s", ...options };
    return this.#spawn({ role: "work", worker, tell, ...this.#where() });
  }

  /** Starts a process that enqueues batches of jobs until it is killed. */
  async startProducer(batch: number): Promise<WorkerProcess> {
    const started = this.#spawn({ role: "produce", batch, ...this.#where() });
    await started.ready();
    return started;
  }

  /** SIGKILL for every process that lives, stopped ones too. */
  async killAll(): Promise<void> {
    await Promise.all([...this.#processes].map((one) => one.kill()));
  }

  #spawn(orders: Orders): WorkerProcess {
    const started = new WorkerProcess(this.#options.command, orders);
    this.#processes.add(started);
    void started.exit.then((exit) => {
      this.#processes.delete(started);
      this.#exits.set(started.pid, exit);
    });
    return started;
  }

  #where(): Pick<Orders, "broker" | "backend" | "ledger"> {
    const { broker, backend } = this.#options.place;
    return { broker, backend, ledger: this.ledger };
  }

  #newApp(): Taskwright {
    const { place, openUrl = (url: string) => url } = this.#options;
    const { broker, backend } = place;
    return new Taskwright({
      broker: openUrl(broker),
      ...(backend !== undefined && { backend: openUrl(backend) }),
      // Parents and children must agree, whatever the environment says.
      codec: "msgpack",
    });
  }

  // What came of it

  /** Waits until a job has ended. */
  outcome(job: Job<Mark>, ms?: number): Promise<Ended> {
    return within(job.outcome(), `job ${job.id} to end`, ms);
  }

  /** Waits until all jobs have completed. */
  async completed(jobs: readonly Job<Mark>[], ms?: number): Promise<Mark[]> {
    const outcomes = await within(Promise.all(jobs.map((job) => job.outcome())), `${jobs.length} jobs to end`, ms);
    return outcomes.map((outcome, index) => {
      assert.equal(outcome.state, "completed", `job ${jobs[index]?.id}: ${"error" in outcome && outcome.error}`);
      return (outcome as Extract<Ended, { state: "completed" }>).value;
    });
  }

  entries(): Entry[] {
    return readLedger(this.ledger);
  }

  /** The runs of a job so far. */
  runs(job: Job<Mark>): readonly Run[] {
    return runsOf(this.entries(), this.#exits).get(job.id) ?? [];
  }

  /** Checks the ledger against what was enqueued; see `audit`. */
  audit(jobs: Iterable<{ readonly id: string }>, unanswered?: (id: string) => boolean): Audit {
    const acknowledged = [...jobs].map(({ id }) => id);
    const lease = this.capabilities.leases === "timed" ? this.lease : 0;
    const copies = this.capabilities.leases === "connection";
    return audit({ acknowledged, unanswered, entries: this.entries(), exits: this.#exits, lease, copies });
  }

  /** Tells a figure to whoever runs the suite. */
  report(figure: string): void {
    this.#options.report?.(figure);
  }

  /** Now, on the clock of the ledger, in ms. */
  now(): number {
    return ledgerTime();
  }
}

/** The whole number of ms in which half of the values lie. */
export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
