import type {
  Inspector,
  JobPage,
  JobRecord,
  ListFilter,
  QueuedState,
  QueueInspector,
  QueueSummary,
} from "../contracts/index.js";
import { UnsupportedError } from "../job/errors.js";

/** How many dead letters of one queue are looked through for an id. */
const MOST = 10_000;

/** An `Inspector` over queues whose names are known, for a broker that only knows what it is asked about by name. */
export class ByQueue implements Inspector {
  readonly #inspector: QueueInspector;
  readonly #driver: string;
  readonly #queues: () => readonly string[];

  /** @param queues - Those that are asked where a call names none. */
  constructor(inspector: QueueInspector, driver: string, queues: () => readonly string[]) {
    this.#inspector = inspector;
    this.#driver = driver;
    this.#queues = queues;
  }

  async queues(): Promise<QueueSummary[]> {
    const names = await this.#names();
    const lengths = await this.#inspector.count(names);
    return names.flatMap((queue, index) => {
      const counts = lengths[index];
      return counts === undefined || counts.waiting + counts.dead === 0 ? [] : [{ queue, paused: false, counts }];
    });
  }

  /** Finds dead letters only. */
  async find(ids: readonly string[]): Promise<(JobRecord | undefined)[]> {
    const found = new Map<string, JobRecord>();
    for (const queue of await this.#names()) {
      for (const job of await this.#inspector.dead(queue, 0, MOST)) found.set(job.id, job);
    }
    return ids.map((id) => found.get(id));
  }

  async list({ queue, state, limit, cursor }: ListFilter): Promise<JobPage> {
    if (state !== "dead") throw this.#unsupported("list jobs that are not dead: ask for state `dead`");
    const queues = queue === undefined ? await this.#names() : [queue];
    const [from = 0, skip = 0] = cursor?.split(".").map(Number) ?? [];
    for (let at = from; at < queues.length; at++) {
      const skipped = at === from ? skip : 0;
      const jobs = await this.#inspector.dead(queues[at] as string, skipped, limit);
      if (jobs.length === 0) continue;
      const next = jobs.length < limit ? `${at + 1}.0` : `${at}.${skipped + jobs.length}`;
      const last = jobs.length < limit && at + 1 === queues.length;
      return last ? { jobs } : { jobs, cursor: next };
    }
    return { jobs: [] };
  }

  retry(ids: readonly string[]): Promise<string[]> {
    return this.#eachQueue(ids, (queue, left) => this.#inspector.retry(queue, left));
  }

  discard(ids: readonly string[]): Promise<string[]> {
    return this.#eachQueue(ids, (queue, left) => this.#inspector.discard(queue, left));
  }

  async purge(queue: string, states: readonly QueuedState[]): Promise<number> {
    let deleted = 0;
    const wanted = states.filter((state) => state !== "active");
    for (const state of wanted) {
      if (state !== "waiting" && state !== "dead")
        throw this.#unsupported(`delete jobs that are ${state}: purge the states waiting and dead`);
    }
    for (const state of wanted) deleted += await this.#inspector.purge(queue, state as "waiting" | "dead");
    return deleted;
  }

  async pause(): Promise<void> {
    throw this.#unsupported("pause a queue");
  }

  async resume(): Promise<void> {
    throw this.#unsupported("resume a queue, or pause one");
  }

  async #eachQueue(
    ids: readonly string[],
    act: (queue: string, ids: readonly string[]) => Promise<string[]>,
  ): Promise<string[]> {
    const found: string[] = [];
    for (const queue of await this.#names()) {
      const left = ids.filter((id) => !found.includes(id));
      if (left.length > 0) found.push(...(await act(queue, left)));
    }
    return found;
  }

  /** Those that the app knows, and those that the broker does. */
  async #names(): Promise<string[]> {
    const known = (await this.#inspector.names?.()) ?? [];
    return [...new Set([...this.#queues(), ...known])].sort();
  }

  #unsupported(what: string): UnsupportedError {
    return new UnsupportedError(`${this.#driver} cannot ${what}`);
  }
}
