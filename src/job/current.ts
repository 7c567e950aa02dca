import { AsyncLocalStorage } from "node:async_hooks";
import type { Logger } from "../contracts/index.js";
import { ConfigError } from "./errors.js";
import type { Labels } from "./options.js";

/**
 * The job that runs, as its own handler sees it.
 *
 * @example
 * const resize = app.task("img.resize", async (url: string) => {
 *   const job = currentJob();
 *   const image = await fetch(url, { signal: job.signal });
 *   await job.progress(0.5);
 * });
 */
export interface CurrentJob {
  readonly id: string;
  readonly task: string;
  readonly queue: string;
  /** 1 for the first run. */
  readonly attempt: number;
  /** The most runs this job may have. */
  readonly attempts: number;
  readonly labels: Labels;
  readonly enqueuedAt: Date;
  /** The job whose handler enqueued this one, if any. */
  readonly parentId: string | undefined;
  /** The first job of that line; this job itself where it has no parent. */
  readonly rootId: string;
  /**
   * Aborts when the job is to stop: cancelled (`CancelledError`), out of time (`TimeoutError`), its lease lost
   * (`LeaseLostError`) or the worker's grace over (`ShutdownError`); that error is its `reason`.
   */
  readonly signal: AbortSignal;
  /** A logger whose lines carry the job's id, task and attempt. */
  readonly logger: Logger;
  /** Reports progress, any value that can be sent. Resolves when the backend has it. */
  progress(value: unknown): Promise<void>;
  /** Appends a line to the job's log, readable through `job.logs()`. Resolves when the backend has it. */
  log(line: string): Promise<void>;
  /** Renews the lease now and answers whether it is still held, for a handler about to block the event loop for long. */
  extend(): Promise<boolean>;
  /**
   * Completes the job in the user's open transaction: what the handler wrote there and the job's completion commit
   * together, or neither does. Call it last in the transaction, await it, then commit; what the handler returns is dropped.
   *
   * Where the transaction is rolled back, the job is as it was: a handler that throws is retried by policy, and so is one
   * that returns, because its work is not done.
   *
   * @param transaction - What the driver takes as `tx`; see docs/transactions.md.
   * @param result - What `job.result()` answers. Default: `undefined`.
   * @throws LeaseLostError where the job is not this attempt's any more: roll back.
   * @throws UnsupportedError where the broker has no transactions.
   *
   * @example
   * import type { Pool } from "pg";
   *
   * declare const pool: Pool;
   * const charge = app.task("charge", async (order: number) => {
   *   const client = await pool.connect();
   *   try {
   *     await client.query("BEGIN");
   *     await client.query("UPDATE orders SET charged = true WHERE id = $1", [order]);
   *     await currentJob().completeIn(client);
   *     await client.query("COMMIT");
   *   } catch (error) {
   *     await client.query("ROLLBACK");
   *     throw error;
   *   } finally {
   *     client.release();
   *   }
   * });
   */
  completeIn(transaction: object, result?: unknown): Promise<void>;
}

const KEY = Symbol.for("taskwright.current-job");
const shared = globalThis as { [KEY]?: AsyncLocalStorage<CurrentJob> };

/** One for the process: a task file and its worker may have come by different copies of this module. */
const storage = shared[KEY] ?? new AsyncLocalStorage<CurrentJob>();
shared[KEY] = storage;

/**
 * The job that runs here. It follows the handler through `await`, timers and callbacks.
 *
 * @throws ConfigError outside of a task.
 *
 * @example
 * const whoAmI = app.task("who", () => {
 *   const { id, attempt, attempts } = currentJob();
 *   return `${id}, attempt ${attempt} of ${attempts}`;
 * });
 */
export function currentJob(): CurrentJob {
  const job = storage.getStore();
  if (job === undefined) throw new ConfigError("currentJob() was called outside of a task");
  return job;
}

/** The job that runs here, if one does. */
export function runningJob(): CurrentJob | undefined {
  return storage.getStore();
}

/** Calls `handler` with `job` as its current job. */
export function runAs<R>(job: CurrentJob, handler: (...args: never[]) => R, args: readonly unknown[]): R {
  return storage.run(job, handler, ...(args as never[]));
}
