import { unknownKey } from "../config/nearest.js";
import type { OutcomeRecord, QueuedState, TerminalState } from "../contracts/index.js";
import { ProgressStream } from "../results/progress-stream.js";
import type { Route } from "../route.js";
import type { Runtime } from "../runtime.js";
import { type Duration, formatDuration, parseDuration } from "./duration.js";
import { CancelledError, ConfigError, NoResultError, TimeoutError } from "./errors.js";
import { type AttemptRecord, readEntries, toAttempts } from "./history.js";
import type { Outcome } from "./outcome.js";

/** Where a job stands. `unknown`: nobody has heard of it, or its outcome has expired. */
export type JobState = QueuedState | TerminalState | "unknown";

/**
 * How long to wait for a result, and what may end the wait.
 *
 * @example
 * await job.result({ timeout: "5s", signal });
 */
export interface ResultWait {
  /** Default: for ever. */
  readonly timeout?: Duration;
  /** Ends the wait with its reason. The job itself goes on; see `job.cancel()`. */
  readonly signal?: AbortSignal;
}

/** @internal What a handle stands on. */
export interface JobAccess {
  readonly runtime: Runtime;
  readonly route: Route;
}

/** @internal What can be waited for: the job's result, only how it failed, or nothing at all. */
export type Awaitable = "result" | "failure" | "nothing";

/** @internal Where a handle finds its job; a promise where the app connects first. */
export type OpenAccess = () => Promise<JobAccess>;

/**
 * A job that was enqueued: a handle to wait for it, watch it and stop it, from any process.
 *
 * @example
 * const job = await add.enqueue(2, 3);
 * await job.result({ timeout: "5s" }); // 5
 */
export class Job<R = unknown> {
  /** A UUIDv7, or the id that the caller chose. */
  readonly id: string;
  /** A job with this id existed already, and nothing new was enqueued. Only with an `id` of your own. */
  readonly duplicate: boolean;
  readonly #awaitable: Awaitable;
  readonly #access: OpenAccess;

  /**
   * @internal
   * @param awaitable - `"failure"` where the job was sent with `result: { keep: false }`, `"nothing"` for a broadcast.
   */
  constructor(id: string, access: OpenAccess, duplicate = false, awaitable: Awaitable = "result") {
    this.id = id;
    this.duplicate = duplicate;
    this.#awaitable = awaitable;
    this.#access = access;
  }

  /** Where the job stands now. */
  async state(): Promise<JobState> {
    const { route } = await this.#access();
    const queued = await route.at.connection.inspector?.find([this.id]);
    const state = queued?.[0]?.state;
    if (state !== undefined) return state;
    const [kept] = (await route.backend?.read([this.id])) ?? [];
    return kept?.state ?? "unknown";
  }

  /**
   * What the task returned, as soon as it has.
   *
   * @throws the task's error once the job is dead (its registered class, or `RemoteError`), `CancelledError`,
   * `ExpiredError`, `TimeoutError` when `timeout` passes first, the signal's reason, and `NoResultError` where no result
   * is kept.
   */
  async result(wait: ResultWait = {}): Promise<R> {
    const outcome = await this.outcome(wait);
    if (outcome.state === "completed") return outcome.value as R;
    throw outcome.error;
  }

  /**
   * Like `result`, but a failed job is an answer, not an exception.
   *
   * @throws `TimeoutError` when `timeout` passes first, the signal's reason, `NoResultError` where no result is kept, and
   * `BrokerError` where the backend cannot be reached.
   *
   * @example
   * const outcome = await job.outcome({ timeout: "5s" });
   * if (outcome.state === "completed") console.log(outcome.value);
   * else console.error(outcome.error, outcome.attempts);
   */
  async outcome(wait: ResultWait = {}): Promise<Outcome<R>> {
    this.#refuseBroadcast("result");
    if (this.#awaitable === "failure") {
      throw new NoResultError(`job ${this.id} was sent with result: { keep: false }, so there is none to wait for`);
    }
    const { runtime, route } = await this.#access();
    const kept = await awaitOutcome(this.id, runtime, route, wait);
    return route.protocol.readOutcome(kept) as Outcome<R>;
  }

  /**
   * The job's progress, newest value first seen, until it ends; `last()` reads the newest value once.
   *
   * @throws NoResultError for a broadcast.
   *
   * @example
   * for await (const value of job.progress()) console.log(value);
   */
  progress(): ProgressStream {
    this.#refuseBroadcast("progress");
    return new ProgressStream(this.id, this.#access);
  }

  /**
   * The lines the job has logged so far.
   *
   * @throws NoResultError where no backend keeps them.
   */
  async logs(): Promise<readonly string[]> {
    const { route } = await this.#access();
    return (await route.requireBackend().readReport(this.id))?.log ?? [];
  }

  /** The attempts that failed so far, oldest first. Those of a completed job are not kept. */
  async attempts(): Promise<readonly AttemptRecord[]> {
    const { runtime, route } = await this.#access();
    const [queued] = (await route.at.connection.inspector?.find([this.id])) ?? [];
    if (queued !== undefined) return toAttempts(readEntries(queued.history, runtime.codec), runtime.errors);
    const [kept] = (await route.backend?.read([this.id])) ?? [];
    return kept === undefined ? [] : route.protocol.readOutcome(kept).attempts;
  }

  /**
   * Stops the job. One that has not started never will; an active one has its `signal` aborted, on whichever worker.
   *
   * @returns whether there was anything to stop: `"cancelled"`, `"requested"` (it is active), or `"absent"`.
   */
  async cancel(): Promise<"cancelled" | "requested" | "absent"> {
    const { runtime, route } = await this.#access();
    if (route.protocol.cancel !== undefined) return route.protocol.cancel(this.id, route);
    const ttl = runtime.settings.defaults.result.ttl;
    const fields = { id: this.id, attempt: 0, ttl };
    const outcome = route.protocol.failed(fields, "cancelled", new CancelledError(), []);
    const [status = "absent"] = await route.broker.cancel([
      route.atomicOutcomes ? { id: this.id, outcome } : { id: this.id },
    ]);
    if (status === "cancelled" && !route.atomicOutcomes) await route.backend?.store([outcome]);
    return status;
  }

  /**
   * Deletes the job's outcome, progress and log. Answers whether there was an outcome; then an `id` of your own is free again.
   *
   * @throws NoResultError where no backend keeps them.
   */
  async forget(): Promise<boolean> {
    const { route } = await this.#access();
    return route.forget(this.id);
  }

  /**
   * Puts a dead job back into its queue with all its attempts. Answers whether it was dead.
   *
   * @throws UnsupportedError where the driver keeps no dead letters to look at.
   */
  async retry(): Promise<boolean> {
    const { route } = await this.#access();
    return (await route.retryDead([this.id])).length > 0;
  }

  #refuseBroadcast(what: string): void {
    if (this.#awaitable !== "nothing") return;
    throw new NoResultError(
      `job ${this.id} is a broadcast: it runs on every worker of its queue and has no single ${what}`,
    );
  }
}

/** Subscribes, reads, and waits for what comes first: the outcome, the deadline or the signal. */
function awaitOutcome(id: string, runtime: Runtime, route: Route, wait: ResultWait): Promise<OutcomeRecord> {
  const unknown = Object.keys(wait).find((key) => key !== "timeout" && key !== "signal");
  if (unknown !== undefined) throw new ConfigError(unknownKey("option", unknown, ["timeout", "signal"], "result()"));
  const timeout = wait.timeout === undefined ? undefined : parseDuration(wait.timeout, "timeout");
  const watch = route.requireWatch();
  wait.signal?.throwIfAborted();
  return new Promise((resolve, reject) => {
    const onAbort = (): void => end(() => reject(wait.signal?.reason));
    const onDeadline = (): void => end(() => reject(late(id, timeout ?? 0)));
    const stop = watch.watch(
      id,
      (outcome) => end(() => resolve(outcome)),
      (error) => end(() => reject(error)),
    );
    const cancelTimer = timeout === undefined ? undefined : runtime.clock.schedule(onDeadline, timeout, true);
    wait.signal?.addEventListener("abort", onAbort, { once: true });
    function end(answer: () => void): void {
      stop();
      cancelTimer?.();
      wait.signal?.removeEventListener("abort", onAbort);
      answer();
    }
  });
}

function late(id: string, timeout: number): TimeoutError {
  return new TimeoutError(`job ${id} did not end within ${formatDuration(timeout)}; it goes on without this caller`);
}
