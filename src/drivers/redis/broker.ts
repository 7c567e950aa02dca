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
import { BrokerError, TaskwrightError, UnsupportedError } from "../../job/errors.js";
import { encodeId } from "../../job/id-bytes.js";
import { batches } from "./batches.js";
import { RedisConsumer, type Shared } from "./consumer.js";
import { outcomeArgs } from "./outcome.js";
import { packJobsToPublish, parts, statusesOf } from "./publish.js";
import { cancel } from "./scripts/cancel.js";
import { publish } from "./scripts/publish.js";
import { sweep } from "./scripts/sweep.js";

const CANCEL_STATUSES: Readonly<Record<string, CancelStatus>> = { c: "cancelled", r: "requested" };

export class RedisBroker implements Broker {
  readonly #shared: Shared;
  readonly #random: Random;
  readonly #consumers = new Set<Consumer>();

  constructor(shared: Shared, random: Random) {
    this.#shared = shared;
    this.#random = random;
  }

  async publish(jobs: readonly OutgoingJob[], transaction?: unknown): Promise<PublishStatus[]> {
    if (transaction !== undefined) throw new UnsupportedError("redis cannot enqueue inside a transaction");
    if (jobs.length === 0) return [];
    const statuses: PublishStatus[] = [];
    for (const part of parts(jobs)) {
      const published = await this.#publishPart(part).catch((error: unknown) => {
        throw statuses.length === 0 ? error : partly(error);
      });
      for (const status of published) statuses.push(status);
    }
    return statuses;
  }

  async #publishPart(jobs: readonly OutgoingJob[]): Promise<PublishStatus[]> {
    const { server } = this.#shared;
    const answer = await server.runPacked(publish, packJobsToPublish(jobs, server.time));
    const [time, letters] = Array.isArray(answer) ? answer : [];
    server.noteTime(Number(server.expectBytes(time).toString()));
    return statusesOf(server.expectBytes(letters));
  }

  async consume(options: ConsumeOptions): Promise<Consumer> {
    const consumer = await RedisConsumer.open(this.#shared, options, (closed) => this.#consumers.delete(closed));
    this.#consumers.add(consumer);
    return consumer;
  }

  async cancel(requests: readonly CancelRequest[]): Promise<CancelStatus[]> {
    const statuses: CancelStatus[] = [];
    for (const batch of batches(requests)) {
      const args = batch.map(({ id, outcome }) => [encodeId(id), ...outcomeArgs(outcome)]);
      const letters = await this.#shared.server.letters(cancel, args);
      for (const letter of letters) statuses.push(CANCEL_STATUSES[letter] ?? "absent");
    }
    return statuses;
  }

  async sweep({ max, delay, jitter }: SweepOptions): Promise<SweepReport> {
    const seed = Math.floor(this.#random() * 2 ** 31);
    return { recovered: Number(await this.#shared.server.run(sweep, [max, delay, jitter, seed])) };
  }

  async close(): Promise<void> {
    for (const consumer of [...this.#consumers]) await consumer.close();
  }
}

/** Only batches of more than 16 MiB go in several calls, so only for them a failure may come after a part has been taken. */
function partly(error: unknown): unknown {
  if (!(error instanceof TaskwrightError)) return error;
  return new BrokerError(`${error.message} (a part of the batch was taken before)`, {
    cause: error,
    outcome: "unknown",
  });
}
