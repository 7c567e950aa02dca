import { unknownKey } from "../config/nearest.js";
import type { CancelStatus, OutcomeRecord } from "../contracts/index.js";
import { type JobState, stateAt } from "../results/job-state.js";
import { ProgressStream } from "../results/progress-stream.js";
import type { Route } from "../route.js";
import type { Runtime } from "../runtime.js";
import { type Duration, formatDuration, parseDuration } from "./duration.js";
import { CancelledError, ConfigError, NoResultError, TimeoutError } from "./errors.js";
import { type AttemptRecord, readEntries, toAttempts } from "./history.js";
import type { Outcome } from "./outcome.js";
import { firstOf } from "./places.js";

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

/** @internal What sending stands on. */
export interface JobAccess {
  readonly runtime: Runtime;
  readonly route: Route;
}

/** @internal What a handle stands on: the places where its job may be, one at least. */
export interface HandleAccess {
  readonly runtime: Runtime;
  readonly routes: readonly [Route, ...Route[]];
}

/** @internal What can be waited for: the job's result, only how it failed, or nothing at all. */
export type Awaitable = "result" | "failure" | "nothing";

/** @internal Where a handle finds its job; a promise where the app connects first. */
export type OpenAccess = () => Promise<HandleAccess>;

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
    const { routes } = await this.#access();
    return firstOf(
      routes,
      (route) => stateAt(this.id, route),
      (state) => state === "unknown",
    );
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
    return (await awaitOutcome(this.id, await this.#access(), wait)) as Outcome<R>;
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
    const { routes } = await this.#access();
    return firstOf(
      routes,
      async (route) => (await route.requireBackend().readReport(this.id))?.log ?? [],
      (log) => log.length === 0,
    );
  }

  /** The attempts that failed so far, oldest first. Those of a completed job are not kept. */
  async attempts(): Promise<readonly AttemptRecord[]> {
    const { runtime, routes } = await this.#access();
    return firstOf(
      routes,
      (route) => attemptsAt(this.id, runtime, route),
      (attempts) => attempts.length === 0,
    );
  }

  /**
   * Stops the job. One that has not started never will; an active one has its `signal` aborted, on whichever worker.
   *
   * @returns whether there was anything to stop: `"cancelled"`, `"requested"` (it is active), or `"absent"`.
   */
  async cancel(): Promise<"cancelled" | "requested" | "absent"> {
    const { runtime, routes } = await this.#access();
    // A protocol that can only ask its workers to stop always has an answer, so it comes last.
    const asking = (route: Route): number => (route.protocol.cancel === undefined ? 0 : 1);
    return firstOf(
      [...routes].sort((one, other) => asking(one) - asking(other)),
      (route) => cancelAt(this.id, runtime, route),
      (status) => status === "absent",
    );
  }

  /**
   * Deletes the job's outcome, progress and log. Answers whether there was an outcome; then an `id` of your own is free again.
   *
   * @throws NoResultError where no backend keeps them.
   */
  async forget(): Promise<boolean> {
    const { routes } = await this.#access();
    return firstOf(
      routes,
      (route) => route.forget(this.id),
      (forgotten) => !forgotten,
    );
  }

  /**
   * Puts a dead job back into its queue with all its attempts. Answers whether it was dead.
   *
   * @throws UnsupportedError where the driver keeps no dead letters to look at.
   */
  async retry(): Promise<boolean> {
    const { routes } = await this.#access();
    return firstOf(
      routes,
      async (route) => (await route.retryDead([this.id])).length > 0,
      (retried) => !retried,
    );
  }

  #refuseBroadcast(what: string): void {
    if (this.#awaitable !== "nothing") return;
    throw new NoResultError(
      `job ${this.id} is a broadcast: it runs on every worker of its queue and has no single ${what}`,
    );
  }
}

async function attemptsAt(id: string, runtime: Runtime, route: Route): Promise<readonly AttemptRecord[]> {
  const [queued] = (await route.at.connection.inspector?.find([id])) ?? [];
  if (queued !== undefined) return toAttempts(readEntries(queued.history, runtime.codec), runtime.errors);
  const [kept] = (await route.backend?.read([id])) ?? [];
  return kept === undefined ? [] : route.protocol.readOutcome(kept).attempts;
}

async function cancelAt(id: string, runtime: Runtime, route: Route): Promise<CancelStatus> {
  if (route.protocol.cancel !== undefined) return route.protocol.cancel(id, route);
  const ttl = runtime.settings.defaults.result.ttl;
  const outcome = route.protocol.failed({ id, attempt: 0, ttl }, "cancelled", new CancelledError(), []);
  const [status = "absent"] = await route.broker.cancel([route.atomicOutcomes ? { id, outcome } : { id }]);
  if (status === "cancelled" && !route.atomicOutcomes) await route.backend?.store([outcome]);
  return status;
}

/** Subscribes, reads, and waits for what comes first: the outcome, from wherever it may come, the deadline or the signal. */
async function awaitOutcome(id: string, { runtime, routes }: HandleAccess, wait: ResultWait): Promise<Outcome> {
  const unknown = Object.keys(wait).find((key) => key !== "timeout" && key !== "signal");
  if (unknown !== undefined) throw new ConfigError(unknownKey("option", unknown, ["timeout", "signal"], "result()"));
  const timeout = wait.timeout === undefined ? undefined : parseDuration(wait.timeout, "timeout");
  const [own] = routes;
  const keeping = routes.filter((route) => route.backend !== undefined);
  if (keeping.length === 0) own.requireBackend();
  wait.signal?.throwIfAborted();
  const [route, record] = await new Promise<readonly [Route, OutcomeRecord]>((resolve, reject) => {
    const onAbort = (): void => end(() => reject(wait.signal?.reason));
    const onDeadline = (): void => end(() => reject(late(id, timeout ?? 0)));
    const stops = keeping.map((one) =>
      one.requireWatch().watch(
        id,
        (outcome) => end(() => resolve([one, outcome])),
        (error) => end(() => reject(error)),
      ),
    );
    const cancelTimer = timeout === undefined ? undefined : runtime.clock.schedule(onDeadline, timeout, true);
    wait.signal?.addEventListener("abort", onAbort, { once: true });
    function end(answer: () => void): void {
      for (const stop of stops) stop();
      cancelTimer?.();
      wait.signal?.removeEventListener("abort", onAbort);
      answer();
    }
  });
  return route.protocol.readOutcome(record);
}

function late(id: string, timeout: number): TimeoutError {
  return new TimeoutError(`job ${id} did not end within ${formatDuration(timeout)}; it goes on without this caller`);
}
