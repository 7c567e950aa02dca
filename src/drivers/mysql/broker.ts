import type {
  Broker,
  CancelRequest,
  CancelStatus,
  ConsumeOptions,
  Consumer,
  OutgoingJob,
  PublishStatus,
  SweepOptions,
  SweepReport,
} from "../../contracts/broker.js";
import type { Random } from "../../contracts/clock.js";
import type { PooledSession } from "./client/client.js";
import { MysqlConsumer, type Shared } from "./consumer.js";
import { publishJobs } from "./publish.js";

/** How often a job that moves at every look is looked for again. */
const LOOKS = 10;

export class MysqlBroker implements Broker {
  readonly #shared: Shared;
  readonly #random: Random;
  readonly #consumers = new Set<MysqlConsumer>();

  constructor(shared: Shared, random: Random) {
    this.#shared = shared;
    this.#random = random;
  }

  async publish(jobs: readonly OutgoingJob[], transaction?: unknown): Promise<PublishStatus[]> {
    const { store, statements, poller, transactions } = this.#shared;
    if (jobs.length === 0) return [];
    if (transaction !== undefined) {
      store.assertOpen();
      // Nobody is told of the commit. Whoever waits looks often, as if there were work already.
      poller.noteWork();
      return transactions.within(transaction, (session) => publishJobs(statements, session, jobs));
    }
    const statuses = await store.write((session) => publishJobs(statements, session, jobs));
    poller.touch();
    return statuses;
  }

  async consume(options: ConsumeOptions): Promise<Consumer> {
    this.#shared.store.assertOpen();
    const consumer = new MysqlConsumer(this.#shared, options, () => this.#consumers.delete(consumer));
    this.#consumers.add(consumer);
    return consumer;
  }

  cancel(requests: readonly CancelRequest[]): Promise<CancelStatus[]> {
    return this.#shared.store.write(async (session) => {
      const statuses: CancelStatus[] = [];
      for (const request of requests) statuses.push(await this.#cancelOne(session, request));
      return statuses;
    });
  }

  /** A job may be claimed or given back between two looks at it; one that is locked stays where it is. */
  async #cancelOne(session: PooledSession, { id, outcome }: CancelRequest): Promise<CancelStatus> {
    const { leases, places, outcomes } = this.#shared.statements;
    for (let look = 0; look < LOOKS; look++) {
      const lease = (await leases.lock(session, [id])).get(id);
      if (lease !== undefined) {
        await leases.requestCancel(session, lease);
        return "requested";
      }
      const key = await places.lock(session, id);
      if (key !== undefined) {
        await places.delete(session, [key]);
        if (outcome) await outcomes.store(session, [outcome]);
        return "cancelled";
      }
      if (!(await places.exists(session, id))) return "absent";
    }
    return "absent";
  }

  async sweep({ max, delay, jitter }: SweepOptions): Promise<SweepReport> {
    const { store, statements, poller } = this.#shared;
    const recovered = await store.write(async (session) => {
      const passed = await statements.leases.passed(session, max);
      for (const lease of passed) {
        const losses = lease.losses + 1;
        await statements.moving.putBack(session, { ...lease, losses }, delay + this.#random() * jitter);
      }
      await statements.leases.delete(session, passed);
      return passed.length;
    });
    if (recovered > 0) poller.touch();
    return { recovered };
  }

  async close(): Promise<void> {
    for (const consumer of [...this.#consumers]) await consumer.close();
  }
}
