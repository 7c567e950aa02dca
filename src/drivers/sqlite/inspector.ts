import type {
  Inspector,
  JobPage,
  JobRecord,
  ListFilter,
  QueuedState,
  QueueSummary,
} from "../../contracts/inspector.js";
import { ConfigError } from "../../job/errors.js";
import type { Shared } from "./broker.js";
import type { Count, PageRequest } from "./statements/listing.js";
import type { Placed } from "./statements/places.js";
import type { StoredQueue } from "./statements/queues.js";

/** How many due jobs are moved in line before waiting jobs are listed. */
const PROMOTE_MAX = 10_000;

export class SqliteInspector implements Inspector {
  readonly #shared: Shared;

  constructor(shared: Shared) {
    this.#shared = shared;
  }

  async queues(): Promise<QueueSummary[]> {
    const { store, statements } = this.#shared;
    const [queues, counts] = await store.read(() => [statements.queues.all(), statements.listing.counts(store.now())]);
    return queues
      .map((queue) =>
        summarize(
          queue,
          counts.filter((count) => count.queue === queue.id),
        ),
      )
      .filter(({ paused, counts }) => paused || Object.values(counts).some((count) => count > 0));
  }

  async find(ids: readonly string[]): Promise<(JobRecord | undefined)[]> {
    const { store, statements } = this.#shared;
    const { places } = statements;
    return store.read(() => ids.map((id) => (places.live(id, store.now()) ?? places.dead(id))?.record));
  }

  async list({ queue, state, limit, cursor }: ListFilter): Promise<JobPage> {
    const { store } = this.#shared;
    if (state === "waiting") await store.write("volatile", () => this.#promote(queue));
    return store.read(() => {
      const id = queue === undefined ? undefined : this.#queueId(queue);
      if (queue !== undefined && id === undefined) return { jobs: [] };
      const request = { queue: id, limit, now: store.now(), after: parseCursor(cursor) };
      return toPage(this.#page(state, request), state, limit);
    });
  }

  #page(state: QueuedState | undefined, request: PageRequest): Placed[] {
    const { listing } = this.#shared.statements;
    if (state !== undefined) return listing.page(state, request);
    const all = [...listing.page("live", request), ...listing.page("dead", request)];
    return all.sort((a, b) => a.seq - b.seq).slice(0, request.limit);
  }

  #queueId(name: string): number | undefined {
    return this.#shared.statements.queues.all().find((queue) => queue.name === name)?.id;
  }

  /** Moves what has become due in line, so that it is seen as waiting. */
  #promote(queue?: string): void {
    const { store, statements } = this.#shared;
    for (const { id, name } of statements.queues.all()) {
      if (queue === undefined || name === queue) statements.claiming.promote(id, store.now(), PROMOTE_MAX);
    }
  }

  async retry(ids: readonly string[]): Promise<string[]> {
    const { store, watcher } = this.#shared;
    const retried = await store.write("durable", () => ids.filter((id) => this.#retryOne(id, store.now())));
    watcher.touch();
    return retried;
  }

  #retryOne(id: string, now: number): boolean {
    const { places, upkeep, outcomes, sequences } = this.#shared.statements;
    const dead = places.dead(id);
    if (dead === undefined || places.live(id, now) !== undefined) return false;
    outcomes.delete(id, now);
    upkeep.revive(dead.seq, sequences.take("job", 1), now);
    return true;
  }

  async discard(ids: readonly string[]): Promise<string[]> {
    const { store } = this.#shared;
    return store.write("durable", () => ids.filter((id) => this.#discardOne(id, store.now())));
  }

  #discardOne(id: string, now: number): boolean {
    const { places } = this.#shared.statements;
    const live = places.live(id, now);
    if (live?.record.state === "active") return false;
    const dead = live ? undefined : places.dead(id);
    if (live) places.delete(live);
    if (dead) places.deleteDead(dead.seq);
    return live !== undefined || dead !== undefined;
  }

  async purge(queue: string, states: readonly QueuedState[]): Promise<number> {
    const { store, statements } = this.#shared;
    return store.write("durable", () => {
      const id = this.#queueId(queue);
      if (id === undefined) return 0;
      statements.claiming.promote(id, store.now(), Number.MAX_SAFE_INTEGER);
      return states.reduce((purged, state) => purged + statements.upkeep.purge(id, state), 0);
    });
  }

  async pause(queue: string): Promise<void> {
    const { store, statements } = this.#shared;
    await store.write("durable", () => statements.queues.setPaused(queue, true));
  }

  async resume(queue: string): Promise<void> {
    const { store, statements, watcher } = this.#shared;
    await store.write("durable", () => statements.queues.setPaused(queue, false));
    watcher.touch();
  }
}

function summarize({ name, paused }: StoredQueue, counted: readonly Count[]): QueueSummary {
  const counts = { scheduled: 0, waiting: 0, active: 0, retrying: 0, dead: 0 };
  let oldestWaiting: number | undefined;
  for (const { state, count, oldest } of counted) {
    counts[state] += count;
    if (state === "waiting" && oldest !== undefined) oldestWaiting = Math.min(oldestWaiting ?? oldest, oldest);
  }
  return { queue: name, paused, counts, ...(oldestWaiting !== undefined && { oldestWaiting }) };
}

function toPage(placed: readonly Placed[], state: QueuedState | undefined, limit: number): JobPage {
  const jobs = placed.map(({ record }) => record);
  const last = placed.at(-1);
  if (last === undefined || placed.length < limit) return { jobs };
  const { queue, seq, record } = last;
  const cursor = state === "waiting" ? [queue, 9 - record.priority, record.dueAt, seq] : [seq];
  return { jobs, cursor: cursor.join(".") };
}

function parseCursor(cursor: string | undefined): number[] {
  if (cursor === undefined) return [];
  if (!/^\d+(\.\d+){0,3}$/.test(cursor)) throw new ConfigError(`"${cursor}" is not a cursor of an earlier page`);
  return cursor.split(".").map(Number);
}
