import assert from "node:assert/strict";
import type { OutcomeRecord, ResultBackend } from "../../contracts/backend.js";
import type { Broadcaster } from "../../contracts/broadcaster.js";
import type { Broker, ClaimedJob, ConsumeOptions, Consumer, Lease, OutgoingJob } from "../../contracts/broker.js";
import type { Capabilities } from "../../contracts/capabilities.js";
import type { Coordinator } from "../../contracts/coordinator.js";
import type { Connection } from "../../contracts/driver.js";
import type { Inspector } from "../../contracts/inspector.js";
import type { Logger } from "../../contracts/logger.js";
import type { Notifier } from "../../contracts/notifier.js";
import type { QueueInspector } from "../../contracts/queue-inspector.js";
import { generateId } from "../../job/id.js";
import type { Place } from "../place.js";
import type { Contract } from "./case.js";

const SILENT: Logger = { debug() {}, info() {}, warn() {}, error() {} };

/** Into how many steps a wait is cut, so that it ends soon after what it waits for. */
const STEPS = 50;
/** How many claims may find nothing before the job that they wait for counts as missing. */
const PATIENCE = 5;

/** The queue of all jobs whose queue does not matter. */
export const QUEUE = "work";

/** What a case works with: a fresh place, connections to it, and time. */
export class CaseContext {
  readonly place: Place;
  /** The span in which the case measures time, in ms. */
  readonly unit: number;
  readonly #connections = new Set<Connection>();
  #first: Connection;
  #workers = 0;

  private constructor(place: Place, first: Connection) {
    this.place = place;
    this.unit = place.unit ?? 1000;
    this.#first = first;
    this.#connections.add(first);
  }

  static async open(place: Place): Promise<CaseContext> {
    return new CaseContext(place, await connectTo(place));
  }

  get capabilities(): Capabilities {
    return this.place.driver.capabilities;
  }

  /** Of these sizes of a body those that the driver takes, and the largest one that it does: 1 MiB where it says nothing. */
  sizes(some: readonly number[]): number[] {
    const { maxBytes = 1_048_576 } = this.place.driver;
    return [...some.filter((size) => size < maxBytes), maxBytes];
  }

  /** The connection that cases use where they need only one. */
  get connection(): Connection {
    return this.#first;
  }

  get broker(): Broker {
    return this.part("broker");
  }

  get backend(): ResultBackend {
    return this.part("backend");
  }

  get coordinator(): Coordinator {
    return this.part("coordinator");
  }

  get notifier(): Notifier {
    return this.part("notifier");
  }

  get inspector(): Inspector {
    return this.part("inspector");
  }

  get queueInspector(): QueueInspector {
    return this.part("queueInspector");
  }

  get broadcaster(): Broadcaster {
    return this.part("broadcaster");
  }

  /** A contract of a connection, which fails the case where the connection lacks it. */
  part<K extends Contract>(name: K, connection: Connection = this.#first): NonNullable<Connection[K]> {
    const part = connection[name];
    assert.ok(part, `the connection has no ${name}`);
    return part;
  }

  /** Opens another connection to the same place. */
  async connect(): Promise<Connection> {
    const connection = await connectTo(this.place);
    this.#connections.add(connection);
    return connection;
  }

  /** Closes every connection, restarts the server where there is one, and opens one connection. */
  async restart(): Promise<void> {
    await this.#closeAll();
    await this.place.restart?.();
    this.#first = await this.connect();
  }

  async close(): Promise<void> {
    await this.#closeAll();
    await this.place.remove?.();
  }

  async #closeAll(): Promise<void> {
    for (const connection of this.#connections) await connection.close();
    this.#connections.clear();
  }

  // Time

  advance(ms: number): Promise<void> {
    return this.place.advance(ms);
  }

  /** Waits for `promise` while time passes, and fails when `ms` have passed before it ends. */
  async within<T>(promise: Promise<T>, ms = 20 * this.unit): Promise<T> {
    let pending = true;
    const ended = () => {
      pending = false;
    };
    promise.then(ended, ended);
    await new Promise((resolve) => setImmediate(resolve));
    for (let step = 0; pending && step < STEPS; step++) await this.advance(ms / STEPS);
    assert.ok(!pending, `still waiting after ${ms} ms`);
    return promise;
  }

  /** Waits until `holds()`, and fails when `ms` have passed before. */
  async until(holds: () => boolean, what: string, ms = 20 * this.unit): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    for (let step = 0; !holds() && step < STEPS; step++) await this.advance(ms / STEPS);
    assert.ok(holds(), `${what}: not within ${ms} ms`);
  }

  // Jobs

  id(): string {
    return generateId(this.place.clock.now());
  }

  job(fields: Partial<OutgoingJob> = {}): OutgoingJob {
    return { id: this.id(), queue: QUEUE, priority: 0, body: bytes("a job"), task: "conformance.task", ...fields };
  }

  /** Publishes jobs that differ from the ordinary in `fields`, all in one batch, and answers their ids. */
  async publish(...fields: Partial<OutgoingJob>[]): Promise<string[]> {
    const jobs = fields.map((one) => this.job(one));
    const statuses = await this.broker.publish(jobs);
    assert.deepEqual(
      statuses,
      jobs.map(() => "created"),
    );
    return jobs.map((job) => job.id);
  }

  /** Publishes one job and answers its id. */
  async publishOne(fields: Partial<OutgoingJob> = {}): Promise<string> {
    const [id] = await this.publish(fields);
    assert.ok(id);
    return id;
  }

  consumer(options: Partial<ConsumeOptions> = {}, connection?: Connection): Promise<Consumer> {
    const worker = `worker-${++this.#workers}`;
    return this.part("broker", connection).consume({
      worker,
      queues: [QUEUE],
      capacity: 1000,
      lease: 1000 * this.unit,
      onCancel() {},
      ...options,
    });
  }

  /** Claims exactly `count` jobs, waiting a little for each of them, and on a busy machine some more. */
  async take(
    consumer: Consumer,
    count: number,
    queues: readonly string[] = [QUEUE],
    wait = 5 * this.unit,
  ): Promise<ClaimedJob[]> {
    const jobs: ClaimedJob[] = [];
    for (let patience = PATIENCE; jobs.length < count && patience > 0; ) {
      const more = await this.within(consumer.claim({ queues, max: count - jobs.length, wait }), 4 * wait);
      if (more.length === 0) patience--;
      jobs.push(...more);
    }
    assert.equal(jobs.length, count, `claimed ${jobs.length} jobs of ${count}`);
    return jobs;
  }

  async takeOne(consumer: Consumer, queues?: readonly string[]): Promise<ClaimedJob> {
    const [job] = await this.take(consumer, 1, queues);
    assert.ok(job);
    return job;
  }

  /** Publishes a job and claims it. */
  async claimedJob(consumer: Consumer, fields: Partial<OutgoingJob> = {}): Promise<ClaimedJob> {
    const id = await this.publishOne(fields);
    const job = await this.takeOne(consumer);
    assert.equal(job.id, id);
    return job;
  }

  /** Fails when there is anything to claim. */
  async nothing(consumer: Consumer, queues: readonly string[] = [QUEUE]): Promise<void> {
    const claim = consumer.claim({ queues, max: 10, wait: this.place.quiet ?? 0 });
    assert.deepEqual(idsOf(await this.within(claim)), []);
  }

  /** Completes jobs, each of which must still be held. */
  async complete(consumer: Consumer, leases: readonly Lease[]): Promise<void> {
    const statuses = await consumer.settle(leases.map((lease) => ({ kind: "complete", lease })));
    assert.deepEqual(
      statuses,
      leases.map(() => "settled"),
    );
  }
}

async function connectTo(place: Place): Promise<Connection> {
  return place.driver.connect({ clock: place.clock, random: Math.random, logger: SILENT });
}

/** The bytes of a text. */
export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** Fails unless both are the same bytes, in whichever kind of byte array. */
export function sameBytes(actual: Uint8Array | undefined, expected: Uint8Array): void {
  assert.ok(actual, "there are no bytes");
  assert.ok(actual instanceof Uint8Array, "bytes come as a Uint8Array");
  assert.ok(Buffer.from(actual).equals(expected), `${actual.length} bytes differ from the ${expected.length} expected`);
}

/** Bytes of every value, as many as asked for. */
export function manyBytes(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (index * 31 + (index >> 8)) & 0xff);
}

export function idsOf(jobs: readonly { readonly id: string }[]): string[] {
  return jobs.map((job) => job.id);
}

export function outcomeOf(id: string, fields: Partial<OutcomeRecord> = {}): OutcomeRecord {
  return { id, state: "completed", attempt: 1, body: bytes("an outcome"), ...fields };
}
