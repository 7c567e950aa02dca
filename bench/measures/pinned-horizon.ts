import { systemClock } from "../../src/clock.js";
import type { Broker, Consumer, OutgoingJob } from "../../src/contracts/index.js";
import { driverFromUrl } from "../../src/drivers/index.js";
import { generateId } from "../../src/job/id.js";
import { quantile } from "../statistics.js";
import type { Figures, Trial } from "./measure.js";

/** As a worker of the usual concurrency claims. */
const CLAIM = 100;
const PUBLISH = 500;
/** At most so many jobs wait, so that claims and not the backlog are measured. */
const WAITING = 5000;
const MINUTE = 60_000;

const CONSUME = { worker: "bench", queues: ["bench"], capacity: CLAIM, lease: 60_000, onCancel() {} };
const SILENT = { debug() {}, info() {}, warn() {}, error() {} };
const BODY = new Uint8Array(60);

/**
 * Jobs are published, claimed and completed as fast as one process can, while an idle transaction keeps the database from
 * cleaning up after them: does a claim grow slower with what has ended since? Told for each minute, of which the
 * figures are the first and the last; and how long a worker then waits for its first jobs that comes new.
 */
export const pinnedHorizon: Trial = {
  name: "pinned-horizon",
  keepResults: false,
  aboutResults: false,
  ofVariants: false,
  oursOnly: true,
  rounds: 1,
  async run(arena, _jobs, seconds) {
    const unpin = await arena.pin();
    try {
      const minutes = await withBroker(arena.address, (broker) => new Load(broker).run(seconds * 1000));
      return { ...figuresOf(minutes), "claim-of-newcomer": await withBroker(arena.address, firstClaim) };
    } finally {
      await unpin();
    }
  },
};

async function withBroker<T>(address: string, work: (broker: Broker) => Promise<T>): Promise<T> {
  const driver = await driverFromUrl(address);
  const connection = await driver.connect({ clock: systemClock, random: Math.random, logger: SILENT });
  try {
    if (connection.broker === undefined) throw new Error("the driver has no broker");
    return await work(connection.broker);
  } finally {
    await connection.close();
  }
}

/** How long a worker that knows nothing yet waits for its first jobs, in ms. */
async function firstClaim(broker: Broker): Promise<number> {
  const consumer = await broker.consume(CONSUME);
  const since = performance.now();
  await consumer.claim({ queues: ["bench"], max: CLAIM, wait: MINUTE });
  const took = performance.now() - since;
  await consumer.close();
  return took;
}

/** The times of the claims of each minute, in ms. */
type Minutes = readonly (readonly number[])[];

class Load {
  readonly #broker: Broker;
  readonly #minutes: number[][] = [];
  #published = 0;
  #completed = 0;
  #until = 0;

  constructor(broker: Broker) {
    this.#broker = broker;
  }

  async run(ms: number): Promise<Minutes> {
    const since = performance.now();
    this.#until = since + ms;
    const consumer = await this.#broker.consume(CONSUME);
    await Promise.all([this.#publish(), this.#work(consumer, since)]);
    this.#tell();
    await consumer.close();
    return this.#minutes;
  }

  async #publish(): Promise<void> {
    while (performance.now() < this.#until) {
      if (this.#published - this.#completed >= WAITING) await new Promise((resolve) => setTimeout(resolve, 1));
      else {
        await this.#broker.publish(Array.from({ length: PUBLISH }, newJob));
        this.#published += PUBLISH;
      }
    }
  }

  /** The next claim is on its way while the last one's jobs are completed. */
  async #work(consumer: Consumer, since: number): Promise<void> {
    let completing: Promise<unknown> = Promise.resolve();
    for (let now = performance.now(); now < this.#until; now = performance.now()) {
      const minute = Math.floor((now - since) / MINUTE);
      if (minute === this.#minutes.length) {
        this.#tell();
        this.#minutes.push([]);
      }
      const jobs = await consumer.claim({ queues: ["bench"], max: CLAIM, wait: 0 });
      if (jobs.length === 0) continue;
      this.#minutes.at(-1)?.push(performance.now() - now);
      await completing;
      completing = consumer.settle(jobs.map((lease) => ({ kind: "complete", lease })));
      this.#completed += jobs.length;
    }
    await completing;
  }

  /** Of the minute that is over. */
  #tell(): void {
    const times = this.#minutes.at(-1);
    if (times === undefined || times.length === 0) return;
    const [p50, p99] = [quantile(times, 0.5).toFixed(2), quantile(times, 0.99).toFixed(2)];
    const jobs = this.#completed.toLocaleString("en-US");
    process.stderr.write(`minute ${this.#minutes.length}: claims p50 ${p50} ms, p99 ${p99} ms; ${jobs} jobs so far\n`);
  }
}

function figuresOf(minutes: Minutes): Figures {
  const [first = [], last = first] = [minutes[0], minutes.at(-1)];
  return {
    "claim-p50-first-minute": quantile(first, 0.5),
    "claim-p99-first-minute": quantile(first, 0.99),
    "claim-p50-last-minute": quantile(last, 0.5),
    "claim-p99-last-minute": quantile(last, 0.99),
  };
}

function newJob(): OutgoingJob {
  return { id: generateId(Date.now()), queue: "bench", priority: 0, task: "bench", body: BODY };
}
