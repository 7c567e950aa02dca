import type {
  Inspector,
  JobPage,
  JobRecord,
  ListFilter,
  QueuedState,
  QueueSummary,
} from "../../contracts/inspector.js";
import { ConfigError } from "../../job/errors.js";
import { promote } from "./claims.js";
import type { PooledSession } from "./client/client.js";
import type { Shared } from "./consumer.js";
import type { Parameter } from "./sql.js";
import type { Count, Listed, PageRequest } from "./statements/listing.js";
import type { LineKey } from "./statements/places.js";
import type { Slice } from "./statements/slices.js";

/** How many jobs one transaction deletes, or moves in line. */
const BATCH = 500;

export class MysqlInspector implements Inspector {
  readonly #shared: Shared;

  constructor(shared: Shared) {
    this.#shared = shared;
  }

  queues(): Promise<QueueSummary[]> {
    const { store, statements } = this.#shared;
    return store.read(async (session) => {
      const counts = await statements.listing.counts(session);
      const paused = new Set(await statements.listing.paused(session));
      const names = new Set([...paused, ...counts.map(({ queue }) => queue)]);
      return [...names].sort().map((queue) =>
        summarize(
          queue,
          paused.has(queue),
          counts.filter((count) => count.queue === queue),
        ),
      );
    });
  }

  async find(ids: readonly string[]): Promise<(JobRecord | undefined)[]> {
    const { store, statements } = this.#shared;
    const found = await store.read((session) => statements.places.find(session, ids));
    // Live jobs come first, and stay.
    const byId = new Map(found.toReversed().map((record) => [record.id, record]));
    return ids.map((id) => byId.get(id));
  }

  async list({ queue, state, limit, cursor }: ListFilter): Promise<JobPage> {
    const { store } = this.#shared;
    const request: PageRequest = { queue, limit, after: parseCursor(cursor) };
    if (state === "waiting") await this.#promote(queue);
    const listed = await store.read(async (session) => {
      const { listing } = this.#shared.statements;
      if (state !== undefined) return listing.page(session, state, request);
      const all = [
        ...(await listing.page(session, "live", request)),
        ...(await listing.page(session, "dead", request)),
      ];
      return all.sort(byPosition).slice(0, limit);
    });
    const last = listed.at(-1);
    const jobs = listed.map(({ record }) => record);
    return last === undefined || jobs.length < limit ? { jobs } : { jobs, cursor: toCursor(last.position) };
  }

  /** Moves what has become due in line, so that it is seen where it will be claimed. */
  async #promote(queue: string | undefined): Promise<void> {
    const { store, statements } = this.#shared;
    const queues = queue === undefined ? (await this.queues()).map((one) => one.queue) : [queue];
    for (const one of queues) {
      while ((await store.write((session) => promote(statements, session, one, BATCH))) > 0);
    }
  }

  retry(ids: readonly string[]): Promise<string[]> {
    return this.#pick(ids, async (session, id, record) => {
      const { places, outcomes } = this.#shared.statements;
      if (record.state !== "dead") return false;
      await outcomes.delete(session, [id]);
      await places.revive(session, id);
      return true;
    });
  }

  discard(ids: readonly string[]): Promise<string[]> {
    return this.#pick(ids, async (session, id, record) => {
      const { places } = this.#shared.statements;
      if (record.state === "dead") {
        await places.deleteDead(session, id);
        return true;
      }
      const key = await places.lock(session, id);
      if (key === undefined) return false;
      await places.delete(session, [key]);
      return true;
    });
  }

  /** Those for which `act` says so. */
  async #pick(
    ids: readonly string[],
    act: (session: PooledSession, id: string, record: JobRecord) => Promise<boolean>,
  ): Promise<string[]> {
    const { store, statements, poller } = this.#shared;
    const picked = await store.write(async (session) => {
      const done: string[] = [];
      for (const id of ids) {
        const [record] = await statements.places.find(session, [id]);
        if (record !== undefined && (await act(session, id, record))) done.push(id);
      }
      return done;
    });
    poller.touch();
    return picked;
  }

  async purge(queue: string, states: readonly QueuedState[]): Promise<number> {
    let purged = 0;
    for (const state of states) {
      for (let batch = BATCH; batch === BATCH; purged += batch) batch = await this.#purgeSome(queue, state);
    }
    return purged;
  }

  #purgeSome(queue: string, state: QueuedState): Promise<number> {
    const { store, statements } = this.#shared;
    return store.write(async (session) => {
      if (state === "dead") return statements.listing.purgeDead(session, queue, BATCH);
      const keys = await statements.listing.lockSome(session, queue, state, BATCH);
      await statements.places.delete(session, keys);
      await statements.slices.tidy(session, queue, slicesIn(keys));
      return keys.length;
    });
  }

  async pause(queue: string): Promise<void> {
    const { store, statements } = this.#shared;
    await store.write((session) => statements.listing.setPaused(session, queue, true));
  }

  async resume(queue: string): Promise<void> {
    const { store, statements, poller } = this.#shared;
    await store.write((session) => statements.listing.setPaused(session, queue, false));
    poller.touch();
  }
}

function slicesIn(keys: readonly LineKey[]): Slice[] {
  return [...new Map(keys.map(([, place, slice]) => [`${place} ${slice}`, { place, slice }])).values()];
}

function summarize(queue: string, paused: boolean, counted: readonly Count[]): QueueSummary {
  const counts = { scheduled: 0, waiting: 0, active: 0, retrying: 0, dead: 0 };
  let oldestWaiting: number | undefined;
  for (const { state, count, oldest } of counted) {
    counts[state] += count;
    if (state === "waiting") oldestWaiting = oldest;
  }
  return { queue, paused, counts, ...(oldestWaiting !== undefined && { oldestWaiting }) };
}

/** By id, as the bytes that are stored. */
function byPosition({ position: [a] }: Listed, { position: [b] }: Listed): number {
  return a instanceof Uint8Array && b instanceof Uint8Array ? Buffer.compare(a, b) : 0;
}

/** Bytes as hexadecimal digits behind an x, numbers as they are. */
function toCursor(position: readonly Parameter[]): string {
  return position
    .map((part) => (part instanceof Uint8Array ? `x${Buffer.from(part).toString("hex")}` : part))
    .join(".");
}

function parseCursor(cursor: string | undefined): Parameter[] {
  if (cursor === undefined) return [];
  if (!/^(x[0-9a-f]*|(x[0-9a-f]*)(\.\d+){4}\.x[0-9a-f]*)$/.test(cursor)) {
    throw new ConfigError(`"${cursor}" is not a cursor of an earlier page`);
  }
  return cursor.split(".").map((part) => (part.startsWith("x") ? Buffer.from(part.slice(1), "hex") : Number(part)));
}
