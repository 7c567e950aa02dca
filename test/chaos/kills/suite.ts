import { Crew, WorkerContext } from "taskwright/conformance";
import { seededRandom } from "taskwright/testing";
import { describe, expect, it, onTestFinished } from "vitest";
import type { Random } from "../../../src/contracts/index.js";
import type { Job } from "../../../src/index.js";
import { notSelected } from "../../support/not-selected.js";
import { programCommand, type SharedDriver, selectedPlace } from "../../support/shared-drivers.js";
import { until } from "../../support/until.js";
import { SEED } from "../seed.js";

/** As many as a driver works off in half a minute. */
const JOBS: Readonly<Record<string, number>> = {
  sqlite: 20_000,
  redis: 100_000,
  postgres: 3_000,
  mysql: 3_000,
  "rabbitmq+sqlite": 3000,
  "rabbitmq+redis": 3000,
};
const PROCESSES = 4;
/** More jobs come until so many have died. */
const FEWEST_KILLS = 6;
const ROUNDS_OF_PRODUCERS = 5;
const command = await programCommand();

type Mark = { readonly pid: number; readonly attempt: number };

async function openContext({ open, capabilities }: SharedDriver): Promise<WorkerContext> {
  const context = await WorkerContext.open({ place: await open(), capabilities, command });
  onTestFinished(() => context.close());
  return context;
}

/** Kills one of the crew that works now and then, until it is stopped. */
class Killing {
  /** How many died. */
  count = 0;
  #over = false;
  readonly #running: Promise<void>;

  constructor(crew: Crew, random: Random) {
    this.#running = this.#run(crew, random);
  }

  async stop(): Promise<void> {
    this.#over = true;
    await this.#running;
  }

  async #run(crew: Crew, random: Random): Promise<void> {
    while (!this.#over) {
      const victim = crew.members[Math.floor(random() * crew.members.length)];
      if (victim === undefined) throw new Error("the crew has no members");
      // Else, on a busy machine, all are killed while they start, and none ever works.
      await victim.ready();
      await pause(50 + random() * 250);
      await victim.kill();
      this.count += 1;
    }
  }
}

/** Time that passes is what this test is about: its lengths are drawn, and nothing is expected to happen within them. */
function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Kills workers and producers of a driver, and counts what became of the jobs. */
export function testKills(name: string): void {
  const driver = selectedPlace(name);
  if (driver === undefined) return notSelected(name);
  const total = JOBS[name] ?? 20_000;
  describe(`chaos on ${name}`, () => {
    it(
      `${total} jobs or more come out exact from ${PROCESSES} processes that are killed at random (seed ${SEED})`,
      () => killWorkers(driver, total),
      240_000,
    );
    it(
      `everything that a killed producer was told is there runs, ${ROUNDS_OF_PRODUCERS} times (seed ${SEED})`,
      () => killProducers(driver),
      60_000,
    );
  });
}

async function killWorkers(driver: SharedDriver, total: number): Promise<void> {
  const c = await openContext(driver);
  const random = seededRandom(SEED);
  // Most jobs are over at once; one in twenty runs for up to 50 ms, so that kills meet jobs in the middle.
  const { note, hold } = c.tasks;
  const limits = { attempts: 100 };
  const crew = await Crew.start(c, PROCESSES, { concurrency: 50, tell: false, poisonLimit: 100 });
  onTestFinished(() => crew.disband());
  const began = c.now();
  const jobs: Job<Mark>[] = [];
  const killing = new Killing(crew, random);
  const enqueue = async (count: number) => {
    for (let n = 0; n < count; n += 1000) {
      jobs.push(...(await note.with(limits).enqueueMany(new Array(950).fill([]))));
      const lengths = Array.from({ length: 50 }, (): [number] => [random() * 50]);
      jobs.push(...(await hold.with(limits).enqueueMany(lengths)));
    }
    await c.completed(jobs, 120_000);
  };
  try {
    await enqueue(total);
    while (killing.count < FEWEST_KILLS) await enqueue(1000);
  } finally {
    await killing.stop();
  }
  await crew.stop();
  const seconds = (c.now() - began) / 1000;
  const { runs, repeated } = c.audit(jobs);
  expect(runs.size).toBe(jobs.length);
  console.log(
    `${driver.name}: ${jobs.length} jobs in ${seconds.toFixed(1)} s, ${killing.count} processes killed, ${repeated} runs repeated`,
  );
}

async function killProducers(driver: SharedDriver): Promise<void> {
  const c = await openContext(driver);
  const random = seededRandom(SEED);
  const told = () => c.entries().filter(({ what }) => what === "acknowledged").length;
  for (let round = 0; round < ROUNDS_OF_PRODUCERS; round++) {
    const before = told();
    const producer = await c.startProducer(1 + Math.floor(random() * 200));
    await until("an acknowledgement", async () => (told() > before ? true : undefined));
    await pause(random() * 300);
    await producer.kill();
  }
  const acknowledged = c.entries().filter(({ what }) => what === "acknowledged");
  const jobs = acknowledged.map(({ id }) => c.app.job<Mark>(id));
  expect(jobs.length).toBeGreaterThan(100);
  const worker = await c.start({ concurrency: 100, tell: false });
  await c.completed(jobs);
  // Those that were published without an answer run as well.
  await until("nothing waits", async () => (await c.app.inspect.queues()).length === 0 || undefined);
  expect((await worker.stop()).code).toBe(0);
  const { runs, repeated } = c.audit(jobs, () => true);
  const unanswered = runs.size - jobs.length;
  expect(repeated).toBe(0);
  expect(await c.app.inspect.queues()).toEqual([]);
  console.log(
    `${driver.name}: ${jobs.length} jobs acknowledged, ${unanswered} more published without an answer, all ran`,
  );
}
