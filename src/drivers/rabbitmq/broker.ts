import type {
  Broker,
  CancelStatus,
  ConsumeOptions,
  Consumer,
  OutgoingJob,
  PublishStatus,
  SweepOptions,
  SweepReport,
} from "../../contracts/broker.js";
import { type Random, resolveWhen } from "../../contracts/clock.js";
import { BrokerError, UnsupportedError } from "../../job/errors.js";
import { RabbitmqConsumer, type Shared } from "./consumer.js";
import { roughly } from "./delays.js";
import type { Mail } from "./mailer.js";
import { type Letter, toLetter } from "./message.js";
import type { Settings } from "./options.js";
import { dueAt } from "./settle.js";

/** When a job that was lost is due again, where no sweep has said so: after 1 to 4 s, as with leases of 30 s. */
const REDELIVERY = { delay: 1000, jitter: 3000 };

export class RabbitmqBroker implements Broker {
  readonly #shared: Shared;
  readonly #settings: Settings;
  readonly #random: Random;
  readonly #consumers = new Set<Consumer>();
  #redelivery: Pick<SweepOptions, "delay" | "jitter"> = REDELIVERY;

  constructor(shared: Omit<Shared, "redelivery">, settings: Settings, random: Random) {
    this.#shared = {
      ...shared,
      redelivery: () => roughly(this.#redelivery.delay + this.#random() * this.#redelivery.jitter),
    };
    this.#settings = settings;
    this.#random = random;
  }

  async publish(jobs: readonly OutgoingJob[], transaction?: unknown): Promise<PublishStatus[]> {
    if (transaction !== undefined) throw new UnsupportedError("rabbitmq cannot enqueue inside a transaction");
    if (jobs.length === 0) return [];
    const now = this.#shared.clock.now();
    const mails = jobs.map((job) => this.#mail(job, now));
    const failures = (await this.#shared.mailer.send(mails)).filter((failure) => failure !== undefined);
    const [first] = failures;
    if (first === undefined) return jobs.map(() => "created");
    if (failures.length === jobs.length) throw first;
    throw new BrokerError(`${first.message} (a part of the batch was taken)`, { cause: first, outcome: "unknown" });
  }

  #mail(job: OutgoingJob, now: number): Mail {
    // Celery's ids are whatever their callers choose, and nobody promises that they are unique.
    if (job.unique && this.#settings.protocol !== "celery")
      throw new UnsupportedError(
        "rabbitmq does not know which jobs it has: for an id of yours to make a job unique, set `backend` to a place that keeps shared state, such as redis",
      );
    if (job.priority > 0 && this.#settings.maxPriority === 0 && this.#settings.protocol !== "celery")
      throw new UnsupportedError(
        "the queues have no priorities: they are quorum queues, or declared with maxPriority 0",
      );
    const letter = toLetter(job, now);
    if (job.notBefore === undefined) return { letter, delay: 0 };
    const delay = resolveWhen(job.notBefore, now) - now;
    return { letter: withDueTime(letter, dueAt(delay, now).dueAt), delay };
  }

  async consume(options: ConsumeOptions): Promise<Consumer> {
    // So that a queue that cannot be used is told of here, rather than by every claim.
    for (const queue of options.queues) await this.#shared.topology.queue(queue);
    const consumer = new RabbitmqConsumer(this.#shared, options, (closed) => this.#consumers.delete(closed));
    this.#consumers.add(consumer);
    return consumer;
  }

  async cancel(): Promise<CancelStatus[]> {
    throw new UnsupportedError("rabbitmq cannot find a job in its queues, so none can be cancelled");
  }

  /** RabbitMQ takes back by itself what a worker leaves. What is learned here is when such a job is to be due again. */
  async sweep({ delay, jitter }: SweepOptions): Promise<SweepReport> {
    this.#redelivery = { delay, jitter };
    return { recovered: 0 };
  }

  async close(): Promise<void> {
    for (const consumer of [...this.#consumers]) await consumer.close();
  }
}

function withDueTime(letter: Letter, due: number | undefined): Letter {
  if (due === undefined) return letter;
  return { ...letter, options: { ...letter.options, headers: { ...letter.options.headers, "taskwright-due": due } } };
}
