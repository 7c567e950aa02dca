import type { DeadReason, JobRecord, ListFilter, Ping, QueuedState, QueueSummary } from "../contracts/index.js";
import { UnreadableError } from "../job/errors.js";
import { type AttemptRecord, readEntries, toAttempts } from "../job/history.js";
import type { JobMessage } from "../job/message.js";
import type { Outcome } from "../job/outcome.js";
import type { Runtime } from "../runtime.js";
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
    const { route } = await this.#connect();
    return route.requireInspector().queues();
  }

  /** Jobs by queue, state and task, a page at a time. `limit` defaults to 50. */
  async jobs({ task, limit = 50, ...filter }: JobFilter = {}): Promise<{ jobs: JobView[]; cursor?: string }> {
    const runtime = await this.#connect();
    const page = await runtime.route.requireInspector().list({ ...filter, limit });
    const views = page.jobs.map((record) => view(record, runtime));
    const jobs = task === undefined ? views : views.filter(({ message }) => message?.task === task);
    return page.cursor === undefined ? { jobs } : { jobs, cursor: page.cursor };
  }

  /** A job in its broker; completed and cancelled ones are no longer there, see `outcome`. */
  async find(id: string): Promise<JobView | undefined> {
    const runtime = await this.#connect();
    const [record] = await runtime.route.requireInspector().find([id]);
    return record && view(record, runtime);
  }

  /** How a job ended, if it has and that is still kept. */
  async outcome(id: string): Promise<Outcome | undefined> {
    const { route } = await this.#connect();
    const [kept] = await route.requireBackend().read([id]);
    return kept && route.protocol.readOutcome(kept);
  }

  /** Puts dead letters back into their queues with all their attempts, and answers which ids were dead. */
  async retry(ids: readonly string[]): Promise<string[]> {
    const { route } = await this.#connect();
    return route.retryDead(ids);
  }

  /** Deletes jobs that are not active, and answers which ids were found. */
  async discard(ids: readonly string[]): Promise<string[]> {
    const { route } = await this.#connect();
    return route.requireInspector().discard(ids);
  }

  /** Deletes every job of a queue in these states (default: all but active and dead), and answers how many. */
  async purge(queue: string, states: readonly QueuedState[] = ["waiting", "scheduled", "retrying"]): Promise<number> {
    const { route } = await this.#connect();
    return route.requireInspector().purge(queue, states);
  }

  /** Stops all workers from claiming jobs of a queue. Jobs are still accepted. */
  async pause(queue: string): Promise<void> {
    const { route } = await this.#connect();
    await route.requireInspector().pause(queue);
  }

  /** Lets workers claim from a queue again. */
  async resume(queue: string): Promise<void> {
    const { route } = await this.#connect();
    await route.requireInspector().resume(queue);
  }

  /** The live workers and what runs in them. */
  async workers(): Promise<WorkerRecord[]> {
    const { coordinator, codec } = await this.#connect();
    return coordinator === undefined ? [] : liveWorkers(coordinator, codec);
  }

  /** Asks the broker, and the backend where it is another one, who they are and what time they have. */
  async ping(): Promise<PlaceReport[]> {
    const { route, clock } = await this.#connect();
    const places = [{ role: "broker" as const, open: route.at }];
    const other = route.backendAt;
    return Promise.all(
      [
        ...places,
        ...(other === undefined || other === route.at ? [] : [{ role: "backend" as const, open: other }]),
      ].map(async ({ role, open }) => {
        const asked = clock.now();
        const ping = await open.connection.ping();
        const answered = clock.now();
        const { name: driver, location } = open.driver;
        const clockSkew = ping.time - (asked + answered) / 2;
        return { ...ping, role, driver, location, latency: answered - asked, clockSkew };
      }),
    );
  }
}

function view(record: JobRecord, runtime: Runtime): JobView {
  const { id, queue, priority, state, attempt, losses, dueAt, worker, reason, body } = record;
  const message = readable(record, runtime);
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

function readable(record: JobRecord, { route }: Runtime): JobMessage | undefined {
  try {
    return route.protocol.decode(record);
  } catch (error) {
    if (error instanceof UnreadableError) return undefined;
    throw error;
  }
}
