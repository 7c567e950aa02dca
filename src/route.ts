import { Batcher } from "./batch.js";
import type { OpenDriver } from "./connections.js";
import type {
  Broadcaster,
  Broker,
  Clock,
  Coordinator,
  Inspector,
  Logger,
  Notifier,
  OutgoingJob,
  PublishStatus,
  ResultBackend,
} from "./contracts/index.js";
import { IdClaims } from "./enqueue/id-claims.js";
import type { Publishing } from "./enqueue/publishing.js";
import { ByQueue } from "./inspect/by-queue.js";
import { NoResultError, UnsupportedError } from "./job/errors.js";
import type { OpenAccess } from "./job/handle.js";
import type { Protocol } from "./protocol.js";
import { closedError, OutcomeWatch } from "./results/outcome-watch.js";
import type { Runtime } from "./runtime.js";
import { inTurn } from "./transactions.js";

/** The most jobs of one publish: 1,000 reach nine tenths of the speed of 10,000 on SQLite, and stay small in memory. */
const PUBLISH_BATCH = 1000;

/**
 * Where the driver pipelines, a batch is cut in two, so that the server takes in one while the other is made: 365,000 enqueues a
 * second on Redis instead of 250,000 (1,000 callers, 2 cores).
 */
const LANES = 2;

/** How jobs are sent that wait for no others. */
export interface SendingOptions {
  /** To every worker that lives, rather than to a queue. */
  readonly broadcast: boolean;
  /** The user's own, in which nothing is awaited before the jobs are written. */
  readonly transaction?: object | undefined;
}

/** What a route has of its app. */
export interface RouteTerms {
  readonly protocol: Protocol;
  /** Names the queues that the app knows. */
  readonly queues: () => readonly string[];
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Where a job goes, and where its outcome is looked for. */
export class Route {
  readonly broker: Broker;
  /** Whether settling a job stores its outcome in the same step. */
  readonly atomicOutcomes: boolean;
  /** How jobs and outcomes are written. */
  readonly protocol: Protocol;
  readonly at: OpenDriver;
  /** Where outcomes are kept, if anywhere. */
  readonly backendAt: OpenDriver | undefined;
  /** Where this process waits for outcomes, with a backend that answers callers. */
  readonly replyTo: string | undefined;
  readonly #watch: OutcomeWatch | undefined;
  #access: OpenAccess | undefined;
  #closed = false;
  readonly #queues: () => readonly string[];
  readonly #publishing: Batcher<Publishing>;
  readonly #broadcasting: Batcher<Publishing>;
  /** Where the broker cannot tell whether it has an id, and somebody else can. */
  readonly #ids: IdClaims | undefined;

  /** @throws UnsupportedError when `at` has no broker. */
  constructor(at: OpenDriver, backendAt: OpenDriver | undefined, { protocol, queues, clock, logger }: RouteTerms) {
    const { broker } = at.connection;
    if (broker === undefined) throw new UnsupportedError(`${at.driver.name} is no broker: it cannot move jobs`);
    this.broker = broker;
    this.protocol = protocol;
    this.at = at;
    this.backendAt = backendAt;
    this.#queues = queues;
    this.atomicOutcomes = backendAt === at && at.driver.capabilities.atomicOutcomes;
    const backend = backendAt?.connection.backend;
    this.replyTo = backend?.replyTo;
    this.#watch = backend && new OutcomeWatch(backend, backendAt?.connection.notifier, clock);
    const lanes = at.driver.capabilities.pipelining ? LANES : 1;
    this.#publishing = new Batcher((items) => this.#flush(items, false), PUBLISH_BATCH / lanes, lanes);
    this.#broadcasting = new Batcher((items) => this.#flush(items, true), PUBLISH_BATCH);
    this.#ids = this.#claimsOfIds(clock, logger);
  }

  /** Publishes with whatever else is published in this turn of the event loop. */
  publish(item: Publishing): void {
    if (item.job.unique && this.#ids !== undefined) return void this.#ids.publish(item);
    (item.broadcast ? this.#broadcasting : this.#publishing).add(item);
  }

  /** Publishes at once: in batches, or as one in the user's transaction. */
  async publishAll(jobs: readonly OutgoingJob[], { broadcast, transaction }: SendingOptions): Promise<PublishStatus[]> {
    if (transaction !== undefined) {
      this.requireTransactions();
      return inTurn(transaction, () => this.broker.publish(jobs, transaction));
    }
    if (this.#ids !== undefined && jobs.some(({ unique }) => unique)) return this.#publishEach(jobs);
    const statuses: PublishStatus[] = [];
    for (let from = 0; from < jobs.length; from += PUBLISH_BATCH) {
      const answers = await this.#send(jobs.slice(from, from + PUBLISH_BATCH), broadcast);
      for (const status of answers) statuses.push(status);
      // Drivers in this process answer without a turn of the event loop; a worker beside this producer would get none.
      await new Promise((resolve) => setImmediate(resolve));
    }
    return statuses;
  }

  /** Each by itself: they may have to wait for others with the same id. */
  #publishEach(jobs: readonly OutgoingJob[]): Promise<PublishStatus[]> {
    const publishOne = (job: OutgoingJob) =>
      new Promise<PublishStatus>((resolve, reject) =>
        this.publish({ job, broadcast: false, published: (status = "created") => resolve(status), failed: reject }),
      );
    return Promise.all(jobs.map(publishOne));
  }

  /** What the handles of this route's jobs stand on: one function for all of them. */
  access(runtime: Runtime): OpenAccess {
    this.#access ??= async () => ({ runtime, routes: [this] });
    return this.#access;
  }

  get backend(): ResultBackend | undefined {
    return this.backendAt?.connection.backend;
  }

  /** Shared state: the backend's, or else the broker's. */
  get coordinator(): Coordinator | undefined {
    return this.backendAt?.connection.coordinator ?? this.at.connection.coordinator;
  }

  get notifier(): Notifier | undefined {
    return this.backendAt?.connection.notifier;
  }

  /** @throws NoResultError where no backend keeps outcomes. */
  requireBackend(): ResultBackend {
    const { backend } = this;
    if (backend !== undefined) return backend;
    throw new NoResultError(
      `${this.at.driver.name} keeps no results: set \`backend\` (or TASKWRIGHT_BACKEND) to a URL such as sqlite:./taskwright.db`,
    );
  }

  /** @throws NoResultError where no backend keeps outcomes. */
  requireWatch(): OutcomeWatch {
    if (this.#watch === undefined) this.requireBackend();
    return this.#watch as OutcomeWatch;
  }

  /**
   * Deletes a job's outcome and what it reported, and answers whether there was an outcome. Its id is free again.
   *
   * @throws NoResultError where no backend keeps outcomes.
   */
  async forget(id: string): Promise<boolean> {
    const forgotten = (await this.requireBackend().forget([id])) > 0;
    if (forgotten) await this.#ids?.forget(id);
    return forgotten;
  }

  /** @throws BrokerError once it is closed. */
  requireOpen(): void {
    if (this.#closed) throw closedError();
  }

  /** Ends the waits of all handles; the connections are closed by whoever opened them. */
  close(): void {
    this.#closed = true;
    this.#watch?.close();
  }

  /** @throws UnsupportedError where the broker cannot be looked into. */
  requireInspector(): Inspector {
    const { inspector, queueInspector } = this.at.connection;
    if (inspector !== undefined) return inspector;
    if (queueInspector !== undefined) return new ByQueue(queueInspector, this.at.driver.name, this.#queues);
    throw new UnsupportedError(`${this.at.driver.name} cannot look at the jobs in it`);
  }

  /** Puts dead letters back into their queues with all their attempts, and answers which ids were dead. */
  async retryDead(ids: readonly string[]): Promise<string[]> {
    const inspector = this.requireInspector();
    // The outcome says that the job is dead, which it no longer is; the broker's own backend drops it by itself. It goes first:
    // a worker may have stored the next one by the time that the retry is answered.
    if (!this.atomicOutcomes && this.backend !== undefined) {
      const found = await inspector.find(ids);
      const dead = found.flatMap((one) => (one?.state === "dead" ? [one.id] : []));
      if (dead.length > 0) await this.backend.forget(dead);
    }
    return inspector.retry(ids);
  }

  /** @throws UnsupportedError where the broker has no transactions. */
  requireTransactions(): void {
    if (this.at.driver.capabilities.transactions) return;
    throw new UnsupportedError(`${this.at.driver.name} cannot enqueue or complete jobs inside a transaction`);
  }

  /** No promise of its own: by the time it settled, a worker beside this producer could tell of a job before its enqueue. */
  #send(jobs: readonly OutgoingJob[], broadcast: boolean): Promise<PublishStatus[]> {
    return broadcast ? this.#broadcast(jobs) : this.broker.publish(jobs);
  }

  /** Celery promises nobody that its ids are unique. */
  #claimsOfIds(clock: Clock, logger: Logger): IdClaims | undefined {
    const { coordinator, backend, protocol, at } = this;
    if (coordinator === undefined || protocol.name === "celery" || at.driver.capabilities.idempotentIds)
      return undefined;
    const publish = (item: Publishing): void => this.#publishing.add(item);
    return new IdClaims({ coordinator, backend, clock, logger, publish });
  }

  async #broadcast(jobs: readonly OutgoingJob[]): Promise<PublishStatus[]> {
    await this.#requireBroadcaster().publish(jobs);
    return jobs.map(() => "created");
  }

  #requireBroadcaster(): Broadcaster {
    const { broadcaster } = this.at.connection;
    if (broadcaster !== undefined) return broadcaster;
    throw new UnsupportedError(
      `${this.at.driver.name} cannot broadcast: use a broker that can, such as redis or memory (see the driver matrix)`,
    );
  }

  async #flush(items: Publishing[], broadcast: boolean): Promise<void> {
    try {
      const jobs = items.map((item) => item.job);
      const statuses = await this.#send(jobs, broadcast);
      for (const [index, item] of items.entries()) item.published(statuses[index]);
    } catch (error) {
      for (const item of items) item.failed(error);
    }
  }
}
