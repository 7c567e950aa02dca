import type {
  Inspector,
  JobPage,
  JobRecord,
  ListFilter,
  QueuedState,
  QueueSummary,
} from "../../contracts/inspector.js";
import { type StoredJob, toRecord } from "./job.js";
import type { Store } from "./store.js";

export class MemoryInspector implements Inspector {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  async queues(): Promise<QueueSummary[]> {
    const summaries = new Map<string, Summary>();
    for (const { name, paused } of this.#store.queues.values()) summaries.set(name, emptySummary(name, paused));
    for (const job of this.#jobs()) count(summaries.get(job.queue.name), job);
    return [...summaries.values()].sort((a, b) => (a.queue < b.queue ? -1 : 1));
  }

  async find(ids: readonly string[]): Promise<(JobRecord | undefined)[]> {
    this.#store.promote(this.#store.now());
    return ids.map((id) => {
      const job = this.#store.jobs.get(id);
      return job && toRecord(job);
    });
  }

  async list({ queue, state, limit, cursor }: ListFilter): Promise<JobPage> {
    const after = cursor === undefined ? 0 : Number(cursor);
    const jobs: StoredJob[] = [];
    for (const job of this.#jobs()) {
      if (job.sequence <= after) continue;
      if (queue !== undefined && job.queue.name !== queue) continue;
      if (state !== undefined && job.state !== state) continue;
      if (jobs.push(job) === limit) return { jobs: jobs.map(toRecord), cursor: String(job.sequence) };
    }
    return { jobs: jobs.map(toRecord) };
  }

  async retry(ids: readonly string[]): Promise<string[]> {
    const now = this.#store.now();
    this.#store.promote(now);
    const retried = ids.filter((id) => {
      const job = this.#store.jobs.get(id);
      if (job?.place !== "dead") return false;
      this.#startAnew(job, now);
      return true;
    });
    this.#store.wake();
    return retried;
  }

  #startAnew(job: StoredJob, now: number): void {
    job.attempt = 0;
    job.losses = 0;
    job.reason = undefined;
    job.cancelRequested = false;
    this.#store.outcomes.delete(job.id, now);
    this.#store.putBack(job, now, now);
  }

  async discard(ids: readonly string[]): Promise<string[]> {
    return ids.filter((id) => {
      const job = this.#store.jobs.get(id);
      if (!job || job.place === "leased") return false;
      this.#store.remove(job);
      return true;
    });
  }

  async purge(queue: string, states: readonly QueuedState[]): Promise<number> {
    let purged = 0;
    for (const job of this.#jobs()) {
      if (job.queue.name !== queue || job.place === "leased" || !states.includes(job.state)) continue;
      this.#store.remove(job);
      purged++;
    }
    return purged;
  }

  async pause(queue: string): Promise<void> {
    this.#store.setPaused(queue, true);
  }

  async resume(queue: string): Promise<void> {
    this.#store.setPaused(queue, false);
    this.#store.wake();
  }

  /** All jobs in the order in which they were published, each where it stands now. */
  #jobs(): Iterable<StoredJob> {
    this.#store.promote(this.#store.now());
    return this.#store.jobs.values();
  }
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };
type Summary = Writable<QueueSummary> & { readonly counts: Writable<QueueSummary["counts"]> };

function emptySummary(queue: string, paused: boolean): Summary {
  return { queue, paused, counts: { scheduled: 0, waiting: 0, active: 0, retrying: 0, dead: 0 } };
}

function count(summary: Summary | undefined, job: StoredJob): void {
  if (!summary) return;
  summary.counts[job.state]++;
  if (job.place === "line") summary.oldestWaiting = Math.min(summary.oldestWaiting ?? job.dueAt, job.dueAt);
}
