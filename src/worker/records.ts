import type { ClaimedJob, OutcomeRecord } from "../contracts/index.js";
import type { Codec } from "../job/codec/index.js";
import { appendHistory, historyEntry, readEntries } from "../job/history.js";
import type { OutcomeFields } from "../job/outcome.js";
import { fits, tooLong } from "../job/size.js";
import type { Route } from "../route.js";
import type { RunningJob } from "./running-job.js";

/** How an attempt failed. */
interface Failed {
  readonly claimed: ClaimedJob;
  /** Default: the one that the claim was counted as. */
  readonly attempt?: number;
  /** Epoch ms. */
  readonly startedAt: number;
  readonly endedAt: number;
  readonly error: unknown;
}

/** How a job failed for good. */
interface FailedFor {
  readonly state: "dead" | "cancelled";
  readonly error: unknown;
  readonly claimed: ClaimedJob;
}

/** Writes down how attempts ended, in no more bytes than the broker and the backend take. */
export class Records {
  readonly #codec: Codec;
  readonly #route: Route;
  readonly #worker: string;

  constructor(codec: Codec, route: Route, worker: string) {
    this.#codec = codec;
    this.#route = route;
    this.#worker = worker;
  }

  /** The outcome of a job that returned. Throws ConfigError where the value cannot be sent, or is too long to be kept. */
  completed(job: RunningJob, value: unknown): OutcomeRecord {
    const outcome = this.#route.protocol.completed(fieldsOf(job), value, job.claimed);
    const backend = this.#route.backendAt?.driver;
    if (fits(outcome.body.length, backend)) return outcome;
    throw tooLong(`the result of task "${job.task}"`, outcome.body.length, backend);
  }

  /** What earlier attempts left, and this one. */
  history({ claimed, attempt = claimed.attempt, startedAt, endedAt, error }: Failed): Uint8Array {
    const entry = historyEntry(attempt, startedAt, endedAt, this.#worker, error);
    return appendHistory(claimed.history, entry, this.#codec, this.#route.at.driver.maxBytes);
  }

  /** The outcome of a job that failed for good, with its history. */
  failed(fields: OutcomeFields, ending: FailedFor, history: Uint8Array): OutcomeRecord {
    const entries = readEntries(history, this.#codec);
    const { protocol, backendAt } = this.#route;
    const { state, error, claimed } = ending;
    return protocol.failed(fields, state, error, entries, backendAt?.driver.maxBytes, claimed);
  }
}

/** What the outcome of a job says beside its body. */
export function fieldsOf(job: RunningJob): OutcomeFields {
  return { id: job.id, attempt: job.attempt, ttl: job.resultTtl };
}
