import type { OutcomeRecord, Settlement, SettleStatus } from "../contracts/index.js";
import type { AttemptEvent, EndEvent, Events } from "../events.js";
import { LeaseLostError, ShutdownError } from "../job/errors.js";
import type { Decision, HandlerOutcome, SavedOutcome } from "../middleware/middleware.js";
import type { AttemptEnd, Before } from "../protocol.js";
import type { Route } from "../route.js";
import { after, isPromise, type MaybePromise } from "../settled.js";
import type { Completions } from "./completions.js";
import { NO_COUNTS, type WorkerCounts } from "./counts.js";
import { type Decided, Ending } from "./ending.js";
import type { LeaseKeeper } from "./lease-keeper.js";
import { fieldsOf, type Records } from "./records.js";
import type { Completion, JobHost, RunningJob } from "./running-job.js";
import type { Settler } from "./settler.js";
import type { TakenJob } from "./taken-job.js";
import type { Triage } from "./triage.js";
import { toError, type Verdict, verdictOn } from "./verdict.js";

export interface ConcluderOptions {
  readonly host: JobHost;
  readonly records: Records;
  readonly completions: Completions;
  readonly events: Events;
  readonly leases: LeaseKeeper;
  readonly route: Route;
  readonly settler: Settler;
  readonly worker: string;
  /** Called when a hook that was waited for is through. */
  readonly onFree: () => void;
}

type Failure = Extract<HandlerOutcome, { ok: false }>;

/** What became of a failed job, by verdict. */
const STATES = { retry: "retrying", release: "scheduled", cancelled: "cancelled", dead: "dead" } as const;

/**
 * Ends attempts: asks the hooks, decides, settles, and tells of it once the broker has confirmed. Every path through here
 * settles the job or says why not; no hook, encoding error or lost lease leaves one behind.
 */
export class Concluder {
  readonly counts: WorkerCounts = { ...NO_COUNTS };
  readonly #options: ConcluderOptions;
  #hooks = 0;

  constructor(options: ConcluderOptions) {
    this.#options = options;
  }

  /** Asynchronous hooks under way: a worker that stops waits for them, within its grace. */
  get hooks(): number {
    return this.#hooks;
  }

  started(job: RunningJob): void {
    const { events, route, worker } = this.#options;
    route.protocol.started?.(job.claimed, route, worker);
    if (events.wanted("job:started")) events.emit("job:started", this.#event(job));
  }

  /**
   * Gives back a claimed job that never started.
   *
   * @param delay - Milliseconds until it is due again.
   * @param over - Called when it was given back, or could not be.
   */
  release(claimed: TakenJob, delay = 0, over: () => void = () => {}): void {
    const given = (): void => {
      this.counts.released += 1;
      over();
    };
    this.#settle(claimed, { lease: claimed, kind: "release", delay }, given, over);
  }

  /** Settles what must not run. */
  park(claimed: TakenJob, found: Exclude<Triage, { kind: "run" }>): void {
    const { host, worker, events, records } = this.#options;
    const { task } = found;
    if (found.kind === "later") return this.release(claimed, found.delay);
    const { error } = found;
    if (claimed.broadcast) return this.drop(claimed, error, task);
    const now = host.clock.now();
    const history = records.history({ claimed, startedAt: now, endedAt: now, error });
    const ttl = host.settings.defaults.result.ttl;
    const state = found.kind === "park" ? "dead" : "cancelled";
    const fields = { id: claimed.id, attempt: claimed.attempt, ttl };
    const outcome = records.failed(fields, { state, error, claimed }, history);
    const settlement: Settlement =
      found.kind === "park"
        ? { lease: claimed, kind: "dead", reason: found.reason, history, outcome }
        : { lease: claimed, kind: "complete", outcome };
    const told = (): void => {
      this.counts[state] += 1;
      const { id, queue, attempt } = claimed;
      const event = { id, task, queue, attempt, worker, duration: 0, error };
      if (found.kind === "park") events.emit("job:dead", { ...event, reason: found.reason });
      else events.emit("job:cancelled", event);
    };
    this.#settle(claimed, settlement, told, () => {}, this.#before(claimed, { kind: state, error }));
  }

  /** Tells of a broadcast that failed or does not run here: there is nothing to settle, and nobody to give it to. */
  drop({ id, queue, attempt }: TakenJob, error: unknown, task: string, duration = 0): void {
    const { events, host, worker } = this.#options;
    this.counts.failed += 1;
    host.logger.error({ err: error, job: id, task }, "a broadcast failed on this worker; it is not tried again");
    events.emit("broadcast:failed", { id, task, queue, attempt, worker, duration, error });
  }

  /** Settles a job before it runs, for `delivery: "at-most-once"`. */
  settleFirst(job: RunningJob, next: (settled: boolean) => void): void {
    job.settledFirst = true;
    this.#options.settler.settle({
      settlement: { lease: job.claimed, kind: "complete" },
      done: (status, error) => {
        this.#options.leases.delete(job.claimed);
        if (error !== undefined) this.#gaveUp(job.claimed, error);
        if (status === "lost") this.#lost(job);
        next(status === "settled");
      },
    });
  }

  /** What came of a handler after its attempt was concluded without it. */
  late(job: RunningJob, outcome: HandlerOutcome): void {
    if (outcome.ok) job.logger.warn({}, "the handler returned after its attempt had ended; its result is dropped");
    else job.logger.debug({ err: outcome.error }, "the handler ended after its attempt had");
  }

  conclude(job: RunningJob, outcome: HandlerOutcome): void {
    const { completion } = job;
    if (completion !== undefined) return this.#await(this.#concludeCompletion(job, completion, outcome));
    const asked = this.#ask(job, outcome);
    if (!isPromise(asked)) return this.#end(job, outcome, asked);
    const { abortReason } = job;
    const givenUp = abortReason instanceof ShutdownError || abortReason instanceof LeaseLostError;
    if (!givenUp) return this.#await(asked.then((decision) => this.#end(job, outcome, decision)));
    // No decision would change what becomes of it, and a worker that has to go does not wait for hooks.
    this.#end(job, outcome, undefined);
    this.#await(asked.then(() => undefined));
  }

  /**
   * Ends an attempt that was completed in a transaction of the user's, if that was committed. If it was not, its effect is
   * not there either: the attempt failed, also where the handler returned.
   */
  async #concludeCompletion(job: RunningJob, completion: Completion, outcome: HandlerOutcome): Promise<void> {
    const { host, completions } = this.#options;
    // The handler is still in its transaction. Releasing the job would wait for that; its lease will pass.
    if (job.abortReason instanceof ShutdownError) return this.#lost(job);
    await host.middleware.postExecute(job, outcome);
    try {
      if (await completions.committed(job)) return this.#completed(job, completion, outcome);
    } catch (error) {
      this.#gaveUp(job.claimed, error);
      return this.#lost(job);
    }
    const failure: Failure = outcome.ok ? { ok: false, error: notCommitted() } : outcome;
    const decision = await host.middleware.onError(job, failure.error);
    this.#fail(job, failure, decision, this.#duration(job));
  }

  /** The transaction was committed: the job is settled, and so is its outcome where the broker keeps those. */
  #completed(job: RunningJob, { result, outcome }: Completion, ended: HandlerOutcome): void {
    if (!ended.ok)
      job.logger.warn({ err: ended.error }, "the handler threw after its job was completed: that stays so");
    job.settledFirst = true;
    const settlement: Settlement = { lease: job.claimed, kind: "complete" };
    const left = this.#options.route.atomicOutcomes || outcome === undefined ? settlement : { ...settlement, outcome };
    const before = this.#before(job.claimed, { kind: "completed", value: result });
    this.#settleRun(new Ending(this, job, left, { ok: true, value: result }, undefined, this.#duration(job), before));
  }

  /** What a transaction of the user's may hold is settled by itself: other jobs must not wait with it. */
  async #settleAlone(ending: Ending, completion: Completion): Promise<void> {
    const { settler, completions } = this.#options;
    try {
      const status = await settler.settleAlone(ending);
      const late = status === "lost" && (await completions.committed(ending.job));
      if (late) this.#completed(ending.job, completion, ending.outcome);
      else this.settled(ending, status, undefined);
    } catch (error) {
      this.settled(ending, "lost", error);
    }
  }

  /** Hooks report their own errors, so this never rejects. */
  #await(hook: MaybePromise<void>): void {
    if (!isPromise(hook)) return;
    this.#hooks += 1;
    void hook.then(() => {
      this.#hooks -= 1;
      this.#options.onFree();
    });
  }

  /** What middleware decides about the attempt, if anything. Its errors are logged, never thrown. */
  #ask(job: RunningJob, outcome: HandlerOutcome): MaybePromise<Decision | undefined> {
    const { middleware } = this.#options.host;
    const told = middleware.postExecute(job, outcome);
    if (outcome.ok) return isPromise(told) ? told.then(() => undefined) : undefined;
    return after(told, () => middleware.onError(job, outcome.error));
  }

  #end(job: RunningJob, outcome: HandlerOutcome, decision: Decision | undefined): void {
    const duration = this.#duration(job);
    if (outcome.ok) {
      try {
        return this.#complete(job, outcome, duration);
      } catch (error) {
        // The value cannot be encoded: another run would not change that.
        job.checking = "invalid-result";
        return this.#fail(job, { ok: false, error }, undefined, duration);
      }
    }
    this.#fail(job, outcome, decision, duration);
  }

  #complete(job: RunningJob, outcome: Extract<HandlerOutcome, { ok: true }>, duration: number): void {
    const lease = job.claimed;
    const settlement: Settlement = job.keepsResult
      ? { lease, kind: "complete", outcome: this.#options.records.completed(job, outcome.value) }
      : { lease, kind: "complete" };
    const before = this.#before(lease, { kind: "completed", value: outcome.value });
    this.#settleRun(new Ending(this, job, settlement, outcome, undefined, duration, before));
  }

  #fail(job: RunningJob, outcome: Failure, decision: Decision | undefined, duration: number): void {
    const verdict = this.#verdict(job, decision ?? outcome.error);
    if (verdict.kind === "lost") return this.#lost(job);
    const before = verdict.kind === "release" || job.broadcast ? undefined : this.#before(job.claimed, verdict);
    this.#settleRun(new Ending(this, job, this.#settlement(job, verdict), outcome, verdict, duration, before));
  }

  /** Whatever a user's policy throws ends the attempt as a failure for good: it would throw again. */
  #verdict(job: RunningJob, error: unknown): Verdict {
    if (job.checking !== undefined && job.abortReason === undefined) {
      return { kind: "dead", reason: job.checking, error };
    }
    try {
      const verdict = verdictOn(job, error, this.#options.host.random);
      // The broker has let go of a job that was settled before it ran: there is nothing to give back or to repeat.
      const over = job.settledFirst && (verdict.kind === "retry" || verdict.kind === "release");
      return over ? { kind: "dead", reason: "failed", error } : verdict;
    } catch (thrown) {
      job.logger.error({ err: thrown }, "the retry policy of the task threw");
      return { kind: "dead", reason: "failed", error };
    }
  }

  #settlement(job: RunningJob, verdict: Decided): Settlement {
    const lease = job.claimed;
    if (job.broadcast) return { lease, kind: "complete" };
    if (verdict.kind === "release") return { lease, kind: "release", delay: verdict.delay };
    const { error } = verdict;
    const endedAt = this.#options.host.clock.now();
    const { records, route } = this.#options;
    const history = records.history({ claimed: lease, attempt: job.attempt, startedAt: job.startedAt, endedAt, error });
    if (verdict.kind === "retry") {
      const again = route.protocol.again?.(lease, verdict.delay);
      return { lease, kind: "retry", delay: verdict.delay, history, ...(again && { again }) };
    }
    const outcome = records.failed(fieldsOf(job), { state: verdict.kind, error, claimed: lease }, history);
    if (verdict.kind === "cancelled") return { lease, kind: "complete", outcome };
    return { lease, kind: "dead", reason: verdict.reason, history, outcome };
  }

  #before(claimed: TakenJob, end: AttemptEnd): Before | undefined {
    const { route } = this.#options;
    return route.protocol.before?.(claimed, end, route);
  }

  /** Called by an ending once the broker has answered. */
  settled(ending: Ending, status: SettleStatus, error: unknown): void {
    const { claimed } = ending.job;
    this.#options.leases.delete(claimed);
    if (error !== undefined) this.#gaveUp(claimed, error);
    if (status === "settled") this.#tell(ending);
    else this.#lost(ending.job);
  }

  /** Counts, emits and calls the hooks of what has been settled. */
  #tell({ job, outcome, verdict, duration }: Ending): void {
    const { events, host } = this.#options;
    if (verdict !== undefined) return this.#tellFailure(job, outcome as Failure, verdict, duration);
    this.counts.completed += 1;
    if (events.wanted("job:completed")) events.emit("job:completed", { ...this.#event(job), duration });
    if (!host.middleware.isEmpty && !job.broadcast)
      this.#await(host.middleware.postSave(job, { ...outcome, state: "completed" }));
  }

  #tellFailure(job: RunningJob, outcome: Failure, verdict: Decided, duration: number): void {
    this.#emit(job, verdict, duration);
    const told = verdict.kind === "dead" ? this.#failed(job, outcome) : undefined;
    // Of a broadcast nothing is saved.
    if (job.broadcast) return this.#await(told);
    const saved: SavedOutcome = { ...outcome, state: STATES[verdict.kind] };
    this.#await(after(told, () => this.#options.host.middleware.postSave(job, saved)));
  }

  #emit(job: RunningJob, verdict: Decided, duration: number): void {
    const { events } = this.#options;
    if (job.broadcast && verdict.kind === "dead") return this.drop(job.claimed, verdict.error, job.task, duration);
    const event: EndEvent = { ...this.#event(job), duration };
    switch (verdict.kind) {
      case "retry":
        this.counts.retried += 1;
        return events.emit("job:retrying", { ...event, error: verdict.error, delay: verdict.delay });
      case "release":
        this.counts.released += 1;
        return events.emit("job:released", { ...event, delay: verdict.delay });
      case "cancelled":
        this.counts.cancelled += 1;
        return events.emit("job:cancelled", { ...event, error: verdict.error });
      case "dead":
        this.counts.dead += 1;
        return events.emit("job:dead", { ...event, error: verdict.error, reason: verdict.reason });
    }
  }

  /** The `failed` hook of a class task. */
  #failed(job: RunningJob, { error }: Failure): MaybePromise<void> {
    const { instance } = job;
    if (instance?.failed === undefined) return;
    const report = (thrown: unknown): void => job.logger.error({ err: thrown }, "the failed() hook threw");
    try {
      const done = instance.failed(toError(error), ...job.args);
      return done instanceof Promise ? done.catch(report) : done;
    } catch (thrown) {
      report(thrown);
    }
  }

  /** A job that was settled before it ran has only its outcome left to store. */
  #settleRun(ending: Ending): void {
    const { job, settlement } = ending;
    const { completion } = job;
    if (!job.settledFirst && completion !== undefined) return this.#await(this.#settleAlone(ending, completion));
    if (!job.settledFirst) return this.#options.settler.settle(ending);
    const outcome = "outcome" in settlement ? settlement.outcome : undefined;
    this.#store(outcome, ending.before).then(
      () => this.#tell(ending),
      (error: unknown) => job.logger.error({ err: error }, "the outcome of the job could not be stored"),
    );
  }

  async #store(outcome: OutcomeRecord | undefined, before: Before | undefined): Promise<void> {
    await before?.();
    if (outcome !== undefined) await this.#options.route.backend?.store([outcome]);
  }

  /** @param lost - Called instead of `settled` where the lease is lost; a job that never started is simply dropped. */
  #settle(
    claimed: TakenJob,
    settlement: Settlement,
    settled: () => void,
    lost: () => void = () => {},
    before?: Before,
  ): void {
    const { settler, leases } = this.#options;
    settler.settle({
      settlement,
      before,
      done: (status, error) => {
        leases.delete(claimed);
        if (error !== undefined) this.#gaveUp(claimed, error);
        if (status === "settled") settled();
        else lost();
      },
    });
  }

  #gaveUp({ id }: TakenJob, error: unknown): void {
    this.#options.host.logger.error({ err: error, job: id }, "a job could not be settled; its lease will pass");
  }

  #lost(job: RunningJob): void {
    this.counts.lost += 1;
    this.#options.leases.delete(job.claimed);
    this.#options.events.emit("job:lost", { ...this.#event(job), duration: this.#duration(job) });
  }

  #duration({ startedAt }: RunningJob): number {
    return this.#options.host.clock.now() - startedAt;
  }

  #event(job: RunningJob): AttemptEvent {
    const { id, task, queue, attempt } = job;
    return { id, task, queue, attempt, worker: this.#options.worker };
  }
}

function notCommitted(): Error {
  return new Error("the handler returned, but the transaction that it gave to completeIn() was not committed");
}
