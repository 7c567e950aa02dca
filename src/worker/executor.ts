import type { CancelTimer } from "../contracts/index.js";
import { formatDuration } from "../job/duration.js";
import { CancelledError, LeaseLostError, ShutdownError, TimeoutError } from "../job/errors.js";
import type { HandlerOutcome } from "../middleware/middleware.js";
import type { MiddlewareStack } from "../middleware/stack.js";
import { isPromise } from "../settled.js";
import type { Concluder } from "./concluder.js";
import { Deadlines } from "./deadlines.js";
import { invoke } from "./invoke.js";
import type { LeaseKeeper } from "./lease-keeper.js";
import { Pace } from "./pace.js";
import type { RunningJob } from "./running-job.js";
import { Suspects } from "./suspects.js";
import type { TakenJob } from "./taken-job.js";
import { type Triage, type TriageOptions, triage } from "./triage.js";

/** Synchronous handlers may hold the event loop for this long, in ms, before timers and sockets get their turn. */
const TURN = 10;

/** Jobs that were claimed ahead are given to others when none has started for so long, in ms. */
const STUCK = 100;

export interface ExecutorOptions extends TriageOptions {
  readonly concurrency: number;
  /** How many jobs to hold beside the running ones. Absent: as many as its pace says. */
  readonly prefetch: number | undefined;
  readonly middleware: MiddlewareStack;
  readonly concluder: Concluder;
  readonly leases: LeaseKeeper;
  /** How long leases last, in ms. */
  readonly lease: number;
  /** Whether the broker can give jobs back for later. */
  readonly canDelay: boolean;
  /** Called when a slot is free again. */
  readonly onFree: () => void;
}

/**
 * Runs jobs in its slots, in the order they were claimed. A slot is taken until the handler ends, also where the attempt
 * was concluded before (timeout, lost lease): a handler that ignores its signal must not let others pile up on top of it.
 */
export class Executor {
  readonly #options: ExecutorOptions;
  readonly #deadlines: Deadlines<RunningJob>;
  readonly #suspects: Suspects;
  readonly #running = new Map<string, RunningJob>();
  readonly pace: Pace;
  #waiting: TakenJob[] = [];
  #slots = 0;
  #cancelWatch: CancelTimer | undefined;
  #pumping = false;

  constructor(options: ExecutorOptions) {
    this.#options = options;
    this.#deadlines = new Deadlines(options.host.clock, (job) => this.#expire(job));
    const { clock, random } = options.host;
    this.pace = new Pace(clock);
    this.#suspects = new Suspects({
      ...options,
      clock,
      random,
      giveBack: (job, delay, over) => options.concluder.release(job, delay, over),
      onFree: () => void this.#pump(),
    });
  }

  /** Handlers that have not ended. */
  get active(): number {
    return this.#slots;
  }

  /** Jobs in hand that have not started. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Jobs in hand: running, and claimed but not started. */
  get held(): number {
    return this.#slots + this.#waiting.length;
  }

  /** Whether more may be claimed, where there is room. */
  get mayClaim(): boolean {
    return this.#suspects.mayClaim;
  }

  get reserved(): Iterable<TakenJob> {
    return this.#waiting;
  }

  get jobs(): Iterable<RunningJob> {
    return this.#running.values();
  }

  /**
   * Takes jobs in.
   *
   * @param more - There are probably more where these came from: then these start in the next turn of the event loop, and
   * meanwhile the claimer asks, so that the server looks for those while these run. Else they start at once, 0.25 ms earlier.
   */
  accept(claimed: readonly TakenJob[], more: boolean): void {
    for (const job of claimed) {
      if (this.#suspects.admits(job)) this.#waiting.push(job);
    }
    if (more) setImmediate(() => void this.#pump());
    else void this.#pump();
  }

  /** Gives back what has not started, uncounted; broadcasts cannot be given back. */
  releaseWaiting(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const job of waiting) {
      if (job.broadcast) this.drop(job, new ShutdownError());
      else this.#options.concluder.release(job);
    }
  }

  /** Lets a broadcast go unrun. */
  drop(heard: TakenJob, error: Error): void {
    this.#options.concluder.drop(heard, error, taskOf(triage(heard, this.#options)));
  }

  /** Tells a job's handler to stop. A job that has not started never will. */
  cancel(id: string): void {
    const running = this.#running.get(id);
    if (running !== undefined) return running.abort(new CancelledError());
    const claimed = this.#waiting.find((waiting) => waiting.id === id);
    if (claimed === undefined) return;
    this.#waiting = this.#waiting.filter((waiting) => waiting !== claimed);
    const found = triage(claimed, this.#options);
    this.#options.concluder.park(claimed, { kind: "cancel", error: new CancelledError(), task: taskOf(found) });
  }

  /** The lease of a job passed to somebody else: nothing it does counts from now on. */
  lose(id: string): void {
    this.#waiting = this.#waiting.filter((claimed) => claimed.id !== id);
    const job = this.#running.get(id);
    if (job === undefined || job.concluded) return;
    job.abort(new LeaseLostError());
    this.#conclude(job, { ok: false, error: job.abortReason });
  }

  /** Aborts everything that runs, and gives it back uncounted without waiting for its handlers. */
  abandon(): void {
    for (const job of this.#running.values()) {
      if (job.concluded) continue;
      job.abort(new ShutdownError());
      this.#conclude(job, { ok: false, error: job.abortReason });
    }
  }

  close(): void {
    this.#deadlines.close();
    this.#suspects.close();
    this.#cancelWatch?.();
  }

  /** One loop starts all jobs, so a thousand synchronous handlers neither nest nor hold the event loop. */
  async #pump(): Promise<void> {
    if (this.#pumping) return;
    this.#pumping = true;
    let turn = performance.now();
    while (this.#slots < this.#options.concurrency && this.#suspects.mayStart) {
      const claimed = this.#waiting.shift();
      if (claimed === undefined) break;
      this.#start(claimed);
      if (performance.now() - turn < TURN) continue;
      await new Promise((resolve) => setImmediate(resolve));
      turn = performance.now();
    }
    this.#pumping = false;
    this.#watchAhead();
    this.#options.onFree();
  }

  /** The pace may change: what was claimed for slots that do not get free any more is for other workers to run. */
  #watchAhead(): void {
    if (this.#cancelWatch !== undefined || this.#ahead <= 0) return;
    const [next] = this.#waiting;
    this.#cancelWatch = this.#options.host.clock.schedule(() => {
      this.#cancelWatch = undefined;
      if (this.#waiting[0] === next) this.#giveBackAhead();
      this.#watchAhead();
    }, STUCK);
  }

  #giveBackAhead(): void {
    if (this.#ahead <= 0) return;
    for (const job of this.#waiting.splice(-this.#ahead)) this.#options.concluder.release(job);
  }

  /** Jobs in hand beyond the slots and what the user wants held beside them. */
  get #ahead(): number {
    const { concurrency, prefetch = 0 } = this.#options;
    return Math.min(this.#waiting.length, this.held - concurrency - prefetch);
  }

  #start(claimed: TakenJob): void {
    const { concluder } = this.#options;
    const found = triage(claimed, this.#options);
    if (found.kind !== "run") {
      this.#suspects.ended(claimed);
      return concluder.park(claimed, found);
    }
    const { job } = found;
    this.#slots += 1;
    job.startedAt = this.#options.host.clock.now();
    if (job.settledFirst || job.delivery === "at-least-once") return this.#run(job);
    // It may be told to stop, or be given up at shutdown, meanwhile.
    this.#running.set(job.id, job);
    concluder.settleFirst(job, (settled) => {
      if (!settled || job.concluded) return this.#end(job);
      job.startedAt = this.#options.host.clock.now();
      this.#run(job);
    });
  }

  /** A synchronous handler is not registered as running: it is over before anybody could tell it to stop. */
  #run(job: RunningJob): void {
    this.#options.concluder.started(job);
    const outcome = invoke(job, this.#options.middleware);
    if (!isPromise(outcome)) return this.#ended(job, outcome);
    this.#running.set(job.id, job);
    if (job.timeout !== undefined) this.#deadlines.add(job, job.startedAt + job.timeout);
    void outcome.then((ended) => this.#ended(job, ended));
  }

  /** The handler is over. */
  #ended(job: RunningJob, outcome: HandlerOutcome): void {
    if (job.concluded) this.#options.concluder.late(job, outcome);
    else this.#conclude(job, outcome);
    this.#end(job);
  }

  #conclude(job: RunningJob, outcome: HandlerOutcome): void {
    job.concluded = true;
    this.#options.concluder.conclude(job, outcome);
  }

  #end(job: RunningJob): void {
    if (job.timeout !== undefined) this.#deadlines.delete(job);
    if (this.#running.get(job.id) === job) this.#running.delete(job.id);
    this.#slots -= 1;
    this.pace.ended();
    this.#suspects.ended(job.claimed);
    if (this.#pumping) return;
    if (this.#waiting.length > 0) void this.#pump();
    else this.#options.onFree();
  }

  #expire(job: RunningJob): void {
    if (job.concluded) return;
    const error = new TimeoutError(`the attempt did not end within ${formatDuration(job.timeout ?? 0)}`);
    job.abort(error);
    // It is in a transaction that would have to end first. What comes of it then is the end of the attempt.
    if (job.completion === undefined) this.#conclude(job, { ok: false, error });
  }
}

function taskOf(found: Triage): string {
  return found.kind === "run" ? found.job.task : found.task;
}
