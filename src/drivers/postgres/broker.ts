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
import { encodeId } from "../../job/id-bytes.js";
import { integer, text } from "./cells.js";
import { PostgresConsumer, type Shared } from "./consumer.js";
import { onlyRow, type Queryable } from "./database.js";
import { isDuplicateKey } from "./errors.js";
import { packOutcomes } from "./outcome.js";
import { parts, publishCall, publishStatuses } from "./publish.js";
import { adoptTransaction } from "./user-transaction.js";

/** By how much, in ms, the server's clock may be behind what is known of it here. */
const SLACK = 1000;

const CANCEL_STATUSES: Readonly<Record<string, CancelStatus>> = { c: "cancelled", r: "requested" };

export class PostgresBroker implements Broker {
  readonly #shared: Shared;
  readonly #consumers = new Set<Consumer>();
  #listening: Promise<unknown> | undefined;

  constructor(shared: Shared) {
    this.#shared = shared;
  }

  async publish(jobs: readonly OutgoingJob[], transaction?: unknown): Promise<PublishStatus[]> {
    if (jobs.length === 0) return [];
    const { database } = this.#shared;
    const since = database.time - SLACK;
    if (transaction !== undefined) {
      return this.#publishOn(adoptTransaction(transaction, database.location), parts(jobs), false);
    }
    try {
      return await this.#publishAll(jobs, false);
    } catch (error) {
      // A generated id that is there already: the batch was published before, and its answer lost.
      if (!isDuplicateKey(error)) throw error;
      return this.#publishAll(jobs, true);
    } finally {
      this.#tellOurselves(jobs, since);
    }
  }

  /** Where nothing is heard from the server, our own claims that wait hear of our own jobs. */
  #tellOurselves(jobs: readonly OutgoingJob[], since: number): void {
    const { channels, work } = this.#shared;
    if (channels?.healthy !== true) for (const queue of new Set(jobs.map((job) => job.queue))) work.tell(queue, since);
  }

  #publishAll(jobs: readonly OutgoingJob[], exact: boolean): Promise<PublishStatus[]> {
    const { database } = this.#shared;
    const cut = parts(jobs);
    if (cut.length === 1) return this.#publishOn(database, cut, exact);
    return database.transaction((queryable) => this.#publishOn(queryable, cut, exact));
  }

  async #publishOn(
    queryable: Queryable,
    cut: readonly (readonly OutgoingJob[])[],
    exact: boolean,
  ): Promise<PublishStatus[]> {
    const { database } = this.#shared;
    const statuses: PublishStatus[] = [];
    for (const part of cut) {
      const [answer] = onlyRow(await queryable.query(...publishCall(database.schema, part, exact)), database.location);
      for (const status of publishStatuses(text(answer), part.length)) statuses.push(status);
    }
    return statuses;
  }

  async consume(options: ConsumeOptions): Promise<Consumer> {
    await this.#listenForWork();
    const consumer = await PostgresConsumer.open(this.#shared, options, (closed) => this.#consumers.delete(closed));
    this.#consumers.add(consumer);
    return consumer;
  }

  /** Once a connection, before its first consumer. */
  async #listenForWork(): Promise<void> {
    const { channels } = this.#shared;
    if (channels === undefined) return;
    this.#listening ??= channels.subscribe("work", (message) => this.#shared.work.hear(message));
    try {
      await this.#listening;
    } catch (error) {
      this.#listening = undefined;
      throw error;
    }
  }

  async cancel(requests: readonly CancelRequest[]): Promise<CancelStatus[]> {
    if (requests.length === 0) return [];
    const { database } = this.#shared;
    const { packed, starts, ids, bodies, attempts, ttls } = packOutcomes(
      requests.map(({ outcome }) => outcome),
      true,
    );
    const rows = await database.query(
      `SELECT ${database.schema}.cancel($1::bytea[], $2::bytea, $3::int[], $4::int[], $5::int[], $6::int[], $7::bigint[])`,
      [requests.map(({ id }) => encodeBuffer(id)), packed, starts, ids, bodies, attempts, ttls],
    );
    const [letters] = onlyRow(rows, database.location);
    return Array.from(text(letters), (letter) => CANCEL_STATUSES[letter] ?? "absent");
  }

  async sweep({ max, delay, jitter }: SweepOptions): Promise<SweepReport> {
    const { database } = this.#shared;
    const rows = await database.query(`SELECT ${database.schema}.sweep_leases($1, $2, $3)`, [
      max,
      Math.ceil(delay),
      Math.floor(jitter),
    ]);
    const recovered = integer(onlyRow(rows, database.location)[0]);
    if (recovered > 0 && this.#shared.channels?.healthy !== true) this.#shared.work.tellAll();
    return { recovered };
  }

  async close(): Promise<void> {
    for (const consumer of [...this.#consumers]) await consumer.close();
  }
}

/** pg takes no other bytes in an array. */
export function encodeBuffer(id: string): Buffer {
  const bytes = encodeId(id);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
