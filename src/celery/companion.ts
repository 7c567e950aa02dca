import { hostname } from "node:os";
import type { ClaimedJob, Exchange, ExchangeMessage, Exchanges, Unsubscribe } from "../contracts/index.js";
import type { Companion, WorkerView } from "../protocol.js";
import type { RunningJob } from "../worker/running-job.js";
import { Announcer, jsonMessage } from "./announcer.js";
import { decodeBody } from "./body.js";
import { isFor, obey, type Panel } from "./control.js";
import { type Fields, isFields } from "./fields.js";
import { type CeleryMessage, partsOf, readMessage } from "./message.js";
import type { CeleryHost } from "./protocol.js";
import { reprArgs, reprKwargs } from "./repr.js";

/** The mailbox of all workers, whose messages go to each of them. */
export const PIDBOX: Exchange = { name: "celery.pidbox", type: "fanout" };

/** As many revoked ids as Celery's workers remember. */
const MOST_REVOKED = 50_000;

/** Speaks for one worker: obeys and answers remote control, sends events, and holds back what is revoked or over its rate. */
export class CeleryCompanion implements Companion {
  readonly #host: CeleryHost;
  readonly #worker: WorkerView;
  readonly #exchanges: Exchanges;
  readonly #closed: () => void;
  readonly #nodename: string;
  readonly #announcer: Announcer;
  readonly #revoked = new Set<string>();
  /** By task: starts in a second, and when the next one may be. */
  readonly #rates = new Map<string, { readonly perSecond: number; next: number }>();
  /** How many of each task have been started. */
  readonly #total = new Map<string, number>();
  #processed = 0;
  #startedAt = 0;
  #stopListening: Unsubscribe = () => {};

  constructor(host: CeleryHost, worker: WorkerView, exchanges: Exchanges, closed: () => void) {
    this.#host = host;
    this.#closed = closed;
    this.#worker = worker;
    this.#exchanges = exchanges;
    this.#nodename = `node-${worker.id.split("-").slice(-2).join("-")}@${hostname()}`;
    const { clock, logger, settings } = host;
    this.#announcer = new Announcer({
      exchanges,
      clock,
      logger,
      nodename: this.#nodename,
      sendTaskEvents: settings.celery.sendTaskEvents,
      counts: () => ({ active: [...worker.active()].length, processed: this.#processed }),
    });
  }

  async start(): Promise<void> {
    this.#startedAt = this.#host.clock.now();
    this.#stopListening = await this.#exchanges.listen(PIDBOX, (message) => void this.#hear(message));
    this.#watch();
    await this.#announcer.start();
  }

  async close(): Promise<void> {
    this.#stopListening();
    this.#closed();
    await this.#announcer.close();
  }

  admit({ id }: ClaimedJob, task: string): number | "revoked" {
    if (this.#revoked.has(id)) return "revoked";
    const rate = this.#rates.get(task);
    if (rate === undefined) return 0;
    const now = this.#host.clock.now();
    if (rate.next > now) return rate.next - now;
    rate.next = now + 1000 / rate.perSecond;
    return 0;
  }

  /** Called when a task starts. */
  started({ task, args, kwargs, id, retries, rootId, parentId }: CeleryMessage): void {
    this.#processed += 1;
    this.#total.set(task, (this.#total.get(task) ?? 0) + 1);
    if (!this.#announcer.taskEvents) return;
    const lineage = { root_id: rootId, parent_id: parentId ?? null };
    const call = { name: task, args: reprArgs(args), kwargs: reprKwargs(kwargs) };
    this.#announcer.task("task-received", id, { ...call, ...lineage, retries, eta: null, expires: null });
    this.#announcer.task("task-started", id);
  }

  #watch(): void {
    const { events } = this.#worker;
    const send = this.#announcer;
    const failure = (error: unknown): Fields => ({
      exception: error instanceof Error ? `${error.name}(${JSON.stringify(error.message)})` : String(error),
      traceback: error instanceof Error ? (error.stack ?? "") : "",
    });
    events.on("job:completed", ({ id, duration }) =>
      send.task("task-succeeded", id, { result: "", runtime: duration / 1000 }),
    );
    events.on("job:retrying", ({ id, error }) => send.task("task-retried", id, failure(error)));
    events.on("job:dead", ({ id, reason, error }) => {
      if (reason === "unreadable") send.task("task-rejected", id, { requeue: false });
      else send.task("task-failed", id, failure(error));
    });
    events.on("job:cancelled", ({ id, error }) => {
      const expired = error instanceof Error && error.name === "ExpiredError";
      send.task("task-revoked", id, { terminated: false, signum: null, expired });
    });
  }

  async #hear(message: ExchangeMessage): Promise<void> {
    const { clock, logger } = this.#host;
    try {
      const { headers, properties } = partsOf(message);
      const command = decodeBody(
        message.body,
        properties.content_type,
        headers.compression,
        this.#host.broker.maxBytes,
      );
      if (!isFields(command) || !isFor(this.#nodename, command)) return;
      if (typeof headers.clock === "number") this.#announcer.tick(headers.clock);
      // What nobody waits for any more.
      if (typeof headers.expires === "number" && headers.expires > 0 && headers.expires * 1000 < clock.now()) return;
      const answer = obey(command.method, command.arguments, this.#panel);
      if (answer !== undefined) await this.#reply(command, answer);
    } catch (err) {
      logger.warn({ err }, "a message of Celery's remote control could not be obeyed");
    }
  }

  async #reply({ reply_to: to, ticket }: Fields, answer: unknown): Promise<void> {
    if (!isFields(to) || typeof to.exchange !== "string" || typeof to.routing_key !== "string") return;
    const headers = { ticket: ticket ?? null, clock: this.#announcer.tick() };
    await this.#exchanges.deliver(to.exchange, to.routing_key, jsonMessage({ [this.#nodename]: answer }, headers));
  }

  readonly #panel: Panel = {
    active: () => [...this.#worker.active()].map((job) => this.#activeFields(job)),
    reserved: () => [...this.#worker.reserved()].map((job) => this.#requestFields(job)),
    registered: () => [...this.#host.tasks.keys()].sort(),
    queues: () => this.#worker.queues,
    stats: () => this.#stats(),
    settings: () => this.#conf(),
    revoked: () => [...this.#revoked],
    clock: () => this.#announcer.tick(),
    revoke: (ids, terminate) => this.#revoke(ids, terminate),
    limit: (task, perSecond) => this.#limit(task, perSecond),
    setTaskEvents: (on) => {
      const before = this.#announcer.taskEvents;
      this.#announcer.taskEvents = on;
      return before;
    },
    heartbeat: () => void this.#announcer.worker("worker-heartbeat"),
    shutdown: () => this.#worker.stop(),
  };

  #revoke(ids: readonly string[], terminate: boolean): string[] {
    for (const id of ids) {
      this.#revoked.delete(id);
      this.#revoked.add(id);
    }
    for (const id of this.#revoked) {
      if (this.#revoked.size <= MOST_REVOKED) break;
      this.#revoked.delete(id);
    }
    const inHand = [...this.#worker.active(), ...this.#worker.reserved()].map(({ id }) => id);
    const found = ids.filter((id) => inHand.includes(id));
    if (terminate) for (const id of found) this.#worker.cancel(id);
    return found;
  }

  #limit(task: string, perSecond: number): boolean {
    if (!this.#host.tasks.has(task)) return false;
    if (perSecond === 0) this.#rates.delete(task);
    else this.#rates.set(task, { perSecond, next: 0 });
    return true;
  }

  #activeFields(job: RunningJob): Fields {
    return { ...this.#requestFields(job.claimed), time_start: job.startedAt / 1000, worker_pid: process.pid };
  }

  /** What `celery inspect` shows of a task. */
  #requestFields(claimed: ClaimedJob): Fields {
    const { id, queue, priority, attempt } = claimed;
    const { task, args, kwargs } = readMessage(claimed, this.#host.broker.maxBytes);
    const delivery = { exchange: "", routing_key: queue, priority, redelivered: attempt > 1 };
    return {
      ...{ id, name: task, type: task, args, kwargs, hostname: this.#nodename },
      ...{ time_start: null, acknowledged: false, delivery_info: delivery, worker_pid: null },
    };
  }

  #stats(): Fields {
    const { concurrency } = this.#worker;
    const { heapTotal, rss } = process.memoryUsage();
    return {
      total: Object.fromEntries(this.#total),
      pid: process.pid,
      clock: String(this.#announcer.tick()),
      uptime: Math.round((this.#host.clock.now() - this.#startedAt) / 1000),
      pool: { implementation: "taskwright", "max-concurrency": concurrency, processes: [process.pid] },
      broker: { transport: this.#host.broker.name },
      prefetch_count: concurrency,
      rusage: { maxrss: rss, heap: heapTotal },
    };
  }

  #conf(): Fields {
    const { celery, defaults } = this.#host.settings;
    return {
      task_acks_late: true,
      task_track_started: celery.trackStarted,
      result_extended: celery.resultExtended,
      result_expires: defaults.result.ttl === undefined ? null : defaults.result.ttl / 1000,
      worker_concurrency: this.#worker.concurrency,
      worker_send_task_events: celery.sendTaskEvents,
    };
  }
}
