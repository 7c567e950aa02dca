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
import { UnsupportedError } from "../../job/errors.js";
import { MemoryConsumer } from "./consumer.js";
import type { Holder, StoredJob } from "./job.js";
import type { Store } from "./store.js";

export class MemoryBroker implements Broker {
  readonly #store: Store;
  readonly #random: Random;
  readonly #consumers = new Set<MemoryConsumer>();

  constructor(store: Store, random: Random) {
    this.#store = store;
    this.#random = random;
  }

  async publish(jobs: readonly OutgoingJob[], transaction?: unknown): Promise<PublishStatus[]> {
    if (transaction !== undefined) throw new UnsupportedError("the memory driver has no transactions to publish in");
    const store = this.#store;
    const now = store.now();
    // What became due before this moment stands in line before what is published in it.
    store.promote(now);
    const statuses = jobs.map((job) => this.#publishOne(job, now));
    store.wake();
    return statuses;
  }

  #publishOne(job: OutgoingJob, now: number): PublishStatus {
    if (this.#store.jobs.has(job.id)) return "duplicate";
    if (job.unique && this.#store.outcomes.get(job.id, now)) return "duplicate";
    this.#store.add(job, now);
    return "created";
  }

  async consume(options: ConsumeOptions): Promise<Consumer> {
    const consumer = new MemoryConsumer(this.#store, options, () => this.#consumers.delete(consumer));
    this.#consumers.add(consumer);
    return consumer;
  }

  async cancel(requests: readonly CancelRequest[]): Promise<CancelStatus[]> {
    const told = new Map<Holder, string[]>();
    const statuses = requests.map((request) => this.#cancelOne(request, told));
    for (const [holder, ids] of told) holder.onCancel(ids);
    return statuses;
  }

  #cancelOne({ id, outcome }: CancelRequest, told: Map<Holder, string[]>): CancelStatus {
    const job = this.#store.jobs.get(id);
    if (!job || job.place === "dead") return "absent";
    if (job.holder) {
      job.cancelRequested = true;
      const ids = told.get(job.holder);
      if (ids) ids.push(id);
      else told.set(job.holder, [id]);
      return "requested";
    }
    this.#store.remove(job);
    if (outcome) this.#store.outcomes.store(outcome, this.#store.now());
    return "cancelled";
  }

  async sweep({ max, delay, jitter }: SweepOptions): Promise<SweepReport> {
    const now = this.#store.now();
    const passed = this.#passedLeases(max, now);
    for (const job of passed) {
      job.losses++;
      this.#store.putBack(job, now + delay + this.#random() * jitter, now);
    }
    if (passed.length > 0) this.#store.wake();
    return { recovered: passed.length };
  }

  #passedLeases(max: number, now: number): StoredJob[] {
    const passed: StoredJob[] = [];
    for (let job = this.#store.leased.first; job && passed.length < max; job = job.next) {
      if (job.leaseUntil <= now) passed.push(job);
    }
    return passed;
  }

  async close(): Promise<void> {
    for (const consumer of this.#consumers) await consumer.close();
  }
}
