import { existsSync } from "node:fs";
import process from "node:process";
import { setImmediate } from "node:timers/promises";
import type { Taskwright } from "../../app.js";
import { type CurrentJob, currentJob } from "../../job/current.js";
import type { LedgerWriter } from "./ledger.js";

/** What every handler returns: which run it was. */
export interface Mark {
  readonly pid: number;
  readonly attempt: number;
}

/** What handlers need of their process. */
export interface Handlers {
  readonly ledger: LedgerWriter;
  /** Resolves when the parent says so. */
  opened(id: string): Promise<void>;
}

/** Handlers never run in the process of the suite itself. */
const NO_HANDLERS: Handlers = {
  get ledger(): LedgerWriter {
    throw new Error("the jobs of the suite run in processes of their own");
  },
  opened: () => new Promise(() => {}),
};

/** How a handler that waits takes the abort of its signal. */
export interface GateOptions {
  /** It goes on waiting. */
  readonly stubborn?: boolean;
}

/** The suite's tasks. Each writes its beginning and its end into the ledger. */
export type Tasks = ReturnType<typeof defineTasks>;

export function defineTasks(app: Taskwright, handlers: Handlers = NO_HANDLERS) {
  const recorded = (body: (job: CurrentJob) => Promise<void>) => record(handlers, body);
  return {
    /** Ends at once. */
    note: app.task("conformance.note", () => {
      const { id, attempt } = currentJob();
      handlers.ledger.write("started", id, attempt);
      handlers.ledger.write("ended", id, attempt);
      return mark(attempt);
    }),
    /** Runs until the parent opens it. */
    gate: app.task("conformance.gate", (options: GateOptions = {}) =>
      recorded((job) => openedOrAborted(job, handlers, options)),
    ),
    /** Runs for `ms`. */
    hold: app.task("conformance.hold", (ms: number) =>
      recorded((job) => abortable(job, new Promise((resolve) => setTimeout(resolve, ms)))),
    ),
    /** On its first attempt, holds the event loop until there is a file. */
    block: app.task("conformance.block", (file: string) =>
      recorded(async (job) => {
        watchAbort(job, handlers.ledger);
        await setImmediate();
        if (job.attempt === 1) blockUntil(file);
      }),
    ),
    /** Throws on its first `times` attempts. */
    fail: app.task("conformance.fail", { backoff: { type: "fixed", delay: 0 } }, (times: number) =>
      recorded(async (job) => {
        if (job.attempt <= times) throw new Error(`attempt ${job.attempt} of ${times} that fail`);
      }),
    ),
    /** Kills the process that it runs in. */
    kill: app.task("conformance.kill", () =>
      recorded(async () => {
        process.kill(process.pid, "SIGKILL");
        await new Promise(() => {});
      }),
    ),
  };
}

async function record({ ledger }: Handlers, body: (job: CurrentJob) => Promise<void>): Promise<Mark> {
  const job = currentJob();
  ledger.write("started", job.id, job.attempt);
  try {
    await body(job);
  } catch (error) {
    ledger.write("failed", job.id, job.attempt, nameOf(error));
    throw error;
  }
  ledger.write("ended", job.id, job.attempt);
  return mark(job.attempt);
}

function mark(attempt: number): Mark {
  return { pid: process.pid, attempt };
}

function openedOrAborted(job: CurrentJob, handlers: Handlers, { stubborn }: GateOptions): Promise<void> {
  watchAbort(job, handlers.ledger);
  const opened = handlers.opened(job.id);
  return stubborn ? opened : abortable(job, opened);
}

function watchAbort({ signal, id, attempt }: CurrentJob, ledger: LedgerWriter): void {
  const told = () => ledger.write("aborted", id, attempt, nameOf(signal.reason));
  signal.addEventListener("abort", told, { once: true });
}

function abortable({ signal }: CurrentJob, promise: Promise<void>): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    promise.then(resolve, reject);
  });
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : String(error);
}

/** A handler that hogs its process: no timer, socket or promise gets a turn. */
function blockUntil(file: string): void {
  const cell = new Int32Array(new SharedArrayBuffer(4));
  while (!existsSync(file)) Atomics.wait(cell, 0, 0, 10);
}
