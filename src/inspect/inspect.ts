import type { OpenDriver } from "../connections.js";
import type {
  Clock,
  DeadReason,
  Inspector,
  JobRecord,
  ListFilter,
  Ping,
  QueuedState,
  QueueSummary,
} from "../contracts/index.js";
import { ConfigError, UnreadableError } from "../job/errors.js";
import { type AttemptRecord, readEntries, toAttempts } from "../job/history.js";
import type { JobMessage } from "../job/message.js";
import type { Outcome } from "../job/outcome.js";
import { allOf, firstOf, refusalOf } from "../job/places.js";
import type { Route } from "../route.js";
import { allRoutes, type Runtime, routeFor } from "../runtime.js";
import { liveWorkers, type WorkerRecord } from "../worker/registry.js";

/** A job in its broker, for people. */
export interface JobView {
  readonly id: string;
  readonly queue: string;
  readonly priority: number;
  readonly state: QueuedState;
  readonly attempt: number;
  /** How often its worker was lost. */
  readonly losses: number;
  /** When it may run; for dead letters, when it died. */
  readonly dueAt: Date;
  /** The worker that holds it. */
  readonly worker?: string;
  /** Why it is dead. */
  readonly reason?: DeadReason;
  /** What was enqueued. Absent where it cannot be read. */
  readonly message?: JobMessage;
  /** As the broker has it. */
  readonly body: Uint8Array;
  /** The attempts that failed. */
  readonly attempts: readonly AttemptRecord[];
}

/** Which jobs to list. */
export interface JobFilter extends Partial<ListFilter> {
  /** Only jobs of this task. Filtered here, so a page may come out short of `limit`. */
  readonly task?: string;
}

/** One place of an app and how it answers. */
export interface PlaceReport extends Ping {
  readonly role: "broker" | "backend";
  readonly driver: string;
  readonly location: string;
  /** Milliseconds the answer took. */
  readonly latency: number;
  /** How far the server's clock is ahead of this machine's, in ms, the way there taken off. */
  readonly clockSkew: number;
}

/**
 * Looks at an app's queues, jobs and workers, and acts on jobs at rest. The command line and dashboards use nothing else.
 * Every call throws `UnsupportedError` where the driver cannot.
 *
 * @example
 * const { jobs } = await app.inspect.jobs({ state: "dead", queue: "mail" });
 * await app.inspect.retry(jobs.map((job) => job.id));
 */
export class Inspect {
  readonly #connect: () => Promise<Runtime>;

  /** @internal */
  constructor(connect: () => Promise<Runtime>) {
    this.#connect = connect;
  }

  /** Every queue that has jobs or is paused. */
  async queues(): Promise<QueueSummary[]> {
    const brokers = distinctBrokers(await this.#routes());
    return allOf(brokers, async (route) => route.requireInspector().queues());
  }

  /**
   * Jobs by queue, state and task, a page at a time, one place after the other. `limit` defaults to 50. Places that cannot list
   * such jobs are left out, unless none can.
   */
  async jobs({ task, limit = 50, cursor, ...filter }: JobFilter = {}): Promise<{ jobs: JobView[]; cursor?: string }> {
    const runtime = await this.#connect();
    const routes =
      filter.queue === undefined
        ? distinctBrokers(await allRoutes(runtime))
        : [await routeFor(runtime, {}, filter.queue)];
    const page = await listFrom(routes, readCursor(cursor), { ...filter, limit });
    const views = page.jobs.map(({ record, route }) => view(record, runtime, route));
    const jobs = task === undefined ? views : views.filter(({ message }) => message?.task === task);
    return page.cursor === undefined ? { jobs } : { jobs, cursor: page.cursor };
  }

  /** A job in its broker; completed and cancelled ones are no longer there, see `outcome`. */
  async find(id: string): Promise<JobView | undefined> {
    const runtime = await this.#connect();
    return firstOf(
      await allRoutes(runtime),
      async (route) => {
        const [record] = await route.requireInspector().find([id]);
        return record && view(record, runtime, route);
      },
      (job) => job === undefined,
    );
  }

  /** How a job ended, if it has and that is still kept. */
  async outcome(id: string): Promise<Outcome | undefined> {
    return firstOf(
      await this.#routes(),
      async (route) => {
        const [kept] = await route.requireBackend().read([id]);
        return kept && route.protocol.readOutcome(kept);
      },
      (outcome) => outcome === undefined,
    );
  }

  /** Puts dead letters back into their queues with all their attempts, and answers which ids were dead. */
  async retry(ids: readonly string[]): Promise<string[]> {
    return this.#everywhere((route) => route.retryDead(ids));
  }

  /** Deletes jobs that are not active, and answers which ids were found. */
  async discard(ids: readonly string[]): Promise<string[]> {
    return this.#everywhere(async (route) => route.requireInspector().discard(ids));
  }

  /** Deletes every job of a queue in these states (default: all but active and dead), and answers how many. */
  async purge(queue: string, states: readonly QueuedState[] = ["waiting", "scheduled", "retrying"]): Promise<number> {
    return (await this.#at(queue)).purge(queue, states);
  }

  /** Stops all workers from claiming jobs of a queue. Jobs are still accepted. */
  async pause(queue: string): Promise<void> {
    await (await this.#at(queue)).pause(queue);
  }

  /** Lets workers claim from a queue again. */
  async resume(queue: string): Promise<void> {
    await (await this.#at(queue)).resume(queue);
  }

  /** The live workers and what runs in them. */
  async workers(): Promise<WorkerRecord[]> {
    const { coordinator, codec } = await this.#connect();
    return coordinator === undefined ? [] : liveWorkers(coordinator, codec);
  }

  /** Asks the app's places, first its broker and its backend where that is another one, who they are and what time they have. */
  async ping(): Promise<PlaceReport[]> {
    const runtime = await this.#connect();
    const asked = new Map<OpenDriver, PlaceReport["role"]>();
    for (const { at, backendAt } of await allRoutes(runtime)) {
      if (!asked.has(at)) asked.set(at, "broker");
      if (backendAt !== undefined && !asked.has(backendAt)) asked.set(backendAt, "backend");
    }
    return Promise.all([...asked].map(([place, role]) => pingPlace(place, role, runtime.clock)));
  }

  async #routes(): Promise<readonly Route[]> {
    return allRoutes(await this.#connect());
  }

  /** The inspector of the place that a queue is in. */
  async #at(queue: string): Promise<Inspector> {
    return (await routeFor(await this.#connect(), {}, queue)).requireInspector();
  }

  /** What each place answers, together. */
  async #everywhere(act: (route: Route) => Promise<string[]>): Promise<string[]> {
    return [...new Set(await allOf(await this.#routes(), act))];
  }
}

async function pingPlace(
  { connection, driver }: OpenDriver,
  role: PlaceReport["role"],
  clock: Clock,
): Promise<PlaceReport> {
  const asked = clock.now();
  const ping = await connection.ping();
  const answered = clock.now();
  const { name, location } = driver;
  const clockSkew = ping.time - (asked + answered) / 2;
  return { ...ping, role, driver: name, location, latency: answered - asked, clockSkew };
}

/** One route to each broker: some differ in their backend only. */
function distinctBrokers(routes: readonly Route[]): Route[] {
  return routes.filter(({ at }, index) => routes.findIndex((other) => other.at === at) === index);
}

interface Page {
  readonly jobs: readonly { readonly record: JobRecord; readonly route: Route }[];
  readonly cursor?: string;
}

/** The next jobs that there are: places without any are passed over, so that only the last page is empty. */
async function listFrom(
  routes: readonly Route[],
  from: Cursor,
  terms: Partial<ListFilter> & { readonly limit: number },
): Promise<Page> {
  const refusals: unknown[] = [];
  let { rest } = from;
  for (let { place } = from; place < routes.length; place++, rest = "") {
    const route = routes[place] as Route;
    const page = await listAt(route, rest, terms).catch((error: unknown) => void refusals.push(refusalOf(error)));
    const jobs = page?.jobs.map((record) => ({ record, route })) ?? [];
    if (page?.cursor !== undefined) return { jobs, cursor: `${place}:${page.cursor}` };
    if (jobs.length > 0) return place + 1 < routes.length ? { jobs, cursor: `${place + 1}:` } : { jobs };
  }
  if (refusals.length > 0 && refusals.length === routes.length) throw refusals[0];
  return { jobs: [] };
}

async function listAt(route: Route, rest: string, terms: Partial<ListFilter> & { readonly limit: number }) {
  return route.requireInspector().list({ ...terms, ...(rest !== "" && { cursor: rest }) });
}

/** The number of the place, and the cursor of that place. With a colon between them it is the cursor of a page. */
interface Cursor {
  readonly place: number;
  readonly rest: string;
}

function readCursor(cursor = "0:"): Cursor {
  const [, place, rest = ""] = /^(\d{1,9}):(.*)$/s.exec(cursor) ?? [];
  if (place === undefined) throw new ConfigError(`"${cursor}" is not a cursor of an earlier page`);
  return { place: Number(place), rest };
}

function view(record: JobRecord, runtime: Runtime, route: Route): JobView {
  const { id, queue, priority, state, attempt, losses, dueAt, worker, reason, body } = record;
  const message = readable(record, route);
  return {
    id,
    queue,
    priority,
    state,
    attempt,
    losses,
    dueAt: new Date(dueAt),
    body,
    attempts: toAttempts(readEntries(record.history, runtime.codec), runtime.errors),
    ...(worker !== undefined && { worker }),
    ...(reason !== undefined && { reason }),
    ...(message !== undefined && { message }),
  };
}

function readable(record: JobRecord, route: Route): JobMessage | undefined {
  try {
    return route.protocol.decode(record);
  } catch (error) {
    if (error instanceof UnreadableError) return undefined;
    throw error;
  }
}
