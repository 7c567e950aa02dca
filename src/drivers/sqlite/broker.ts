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
import type { Clock } from "../../contracts/clock.js";
import { SqliteConsumer } from "./consumer.js";
import { publishJobs } from "./publish.js";
import type { Statements } from "./statements/index.js";
import type { Store } from "./store.js";
import type { UserTransactions } from "./user-transaction.js";
import type { Watcher } from "./watcher.js";

/** What the contracts of one connection share. */
export interface Shared {
  readonly store: Store;
  readonly statements: Statements;
  readonly watcher: Watcher;
  readonly clock: Clock;
  readonly transactions: UserTransactions;
}

export class SqliteBroker implements Broker {
  readonly #shared: Shared;
  readonly #consumers = new Set<SqliteConsumer>();

  constructor(shared: Shared) {
    this.#shared = shared;
  }

  async publish(jobs: readonly OutgoingJob[], transaction?: unknown): Promise<PublishStatus[]> {
    const { store, statements, watcher, transactions } = this.#shared;
    if (transaction !== undefined) return transactions.publish(transaction, jobs);
    const statuses = await store.write("durable", () => publishJobs(statements, jobs, store.now()));
    watcher.touch();
    return statuses;
  }

  async consume(options: ConsumeOptions): Promise<Consumer> {
    this.#shared.store.assertOpen();
    const consumer = new SqliteConsumer(this.#shared, options, () => this.#consumers.delete(consumer));
    this.#consumers.add(consumer);
    return consumer;
  }

  async cancel(requests: readonly CancelRequest[]): Promise<CancelStatus[]> {
    const { store, watcher } = this.#shared;
    const statuses = await store.write("durable", () => this.#cancelAll(requests, store.now()));
    watcher.touch();
    return statuses;
  }

  #cancelAll(requests: readonly CancelRequest[], now: number): CancelStatus[] {
    const { places, leases, outcomes, sequences } = this.#shared.statements;
    return requests.map(({ id, outcome }) => {
      const place = places.live(id, now);
      if (place === undefined) return "absent";
      if (place.record.state === "active") {
        leases.requestCancel(place.seq);
        return "requested";
      }
      places.delete(place);
      if (outcome) outcomes.store([outcome], sequences.take("outcome", 1), now);
      return "cancelled";
    });
  }

  async sweep({ max, delay, jitter }: SweepOptions): Promise<SweepReport> {
    const { store, statements, watcher } = this.#shared;
    const passed = await store.read(() => statements.leases.passed(store.now(), 1));
    if (passed.length === 0) return { recovered: 0 };
    const recovered = await store.write("volatile", () => {
      const now = store.now();
      return this.#recover(max, now, () => Math.round(now + delay + store.random() * jitter));
    });
    watcher.touch();
    return { recovered };
  }

  #recover(max: number, now: number, nextDue: () => number): number {
    const { leases, moving } = this.#shared.statements;
    const passed = leases.passed(now, max);
    for (const lease of passed) {
      const due = nextDue();
      moving.putBack({ ...lease, losses: lease.losses + 1 }, due, due > now ? "retrying" : "ready");
    }
    leases.delete(passed.map(({ seq }) => seq));
    return passed.length;
  }

  async close(): Promise<void> {
    for (const consumer of this.#consumers) await consumer.close();
  }
}
