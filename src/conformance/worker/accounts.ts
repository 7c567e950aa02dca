import assert from "node:assert/strict";
import type { WorkerCaseGroup } from "./case.js";
import type { WorkerContext } from "./context.js";

/** Jobs of the large ledger. */
const MANY = 10_000;

export const accounts: WorkerCaseGroup = {
  name: "accounts",
  cases: [
    { name: `runs ${MANY.toLocaleString("en")} jobs over two processes with an exact ledger`, run: assertMany },
    { name: "runs a job exactly as often as its attempts allow, on whichever process", run: assertAttempts },
    { name: "shares jobs of every length without two processes ever running one at once", run: assertShared },
    { name: "keeps every acknowledged job of a producer that is killed while it publishes", run: assertProducer },
    { name: "keeps jobs while every process is dead and every connection closed", run: assertDurable },
  ],
};

async function assertMany(c: WorkerContext): Promise<void> {
  await Promise.all([c.start({ concurrency: 100, tell: false }), c.start({ concurrency: 100, tell: false })]);
  const began = c.now();
  const jobs = await c.tasks.note.enqueueMany(new Array(MANY).fill([]));
  await c.completed(jobs);
  const seconds = (c.now() - began) / 1000;
  const { runs, repeated } = c.audit(jobs);
  c.report(`${MANY} jobs over two processes in ${seconds.toFixed(1)} s, ${repeated} repeated after a lost lease`);
  assert.equal([...runs.values()].flat().length, MANY + repeated);
  const pids = new Set([...runs.values()].flatMap((job) => job.map(({ pid }) => pid)));
  assert.equal(pids.size, 2, "both processes took part");
}

/** Every job that fails `failures` times with `attempts` allowed, in one table. */
async function assertAttempts(c: WorkerContext): Promise<void> {
  await Promise.all([c.start(), c.start()]);
  const table = [1, 2, 3, 4].flatMap((attempts) => [0, 1, 2, 3, 4, 5].map((failures) => ({ attempts, failures })));
  const jobs = await Promise.all(
    table.map(({ attempts, failures }) => c.tasks.fail.with({ attempts }).enqueue(failures)),
  );
  const outcomes = await Promise.all(jobs.map((job) => c.outcome(job)));
  const expected = table.map(({ attempts, failures }) => ({
    state: failures < attempts ? "completed" : "dead",
    attempt: Math.min(attempts, failures + 1),
  }));
  assert.deepEqual(
    outcomes.map(({ state, attempt }) => ({ state, attempt })),
    expected,
  );
  const { runs } = c.audit(jobs);
  assert.deepEqual(
    jobs.map(({ id }) => runs.get(id)?.map(({ attempt }) => attempt)),
    expected.map(({ attempt }) => Array.from({ length: attempt }, (_, n) => n + 1)),
  );
}

/** Half of the jobs are over at once, some outlast a heartbeat, some their lease. */
async function assertShared(c: WorkerContext): Promise<void> {
  const processes = await Promise.all([c.start(), c.start(), c.start()]);
  const lengths = Array.from({ length: 300 }, (_, n) => (n % 50 === 0 ? 1.3 * c.lease : n % 2 === 0 ? n % 40 : 0));
  const jobs = await c.tasks.hold.enqueueMany(lengths.map((ms) => [ms]));
  await c.completed(jobs);
  await Promise.all(processes.map((one) => one.stop()));
  const { repeated } = c.audit(jobs);
  c.report(`300 jobs of 0 to ${1.3 * c.lease} ms over three processes: ${repeated} repeated after a lost lease`);
}

async function assertProducer(c: WorkerContext): Promise<void> {
  const producer = await c.startProducer(20);
  const acknowledged = () => c.entries().filter(({ what }) => what === "acknowledged");
  while (acknowledged().length < 200) await new Promise((resolve) => setImmediate(resolve));
  await producer.kill();
  const jobs = acknowledged().map(({ id }) => c.app.job<{ pid: number; attempt: number }>(id));
  await c.start({ concurrency: 100, tell: false });
  await c.completed(jobs);
  // The last batch may be there without its acknowledgement.
  c.audit(jobs, () => true);
  c.report(`a producer was killed after ${jobs.length} acknowledged jobs: all of them ran`);
}

/** One job is left in each place that there is: waiting, scheduled, to be retried, and leased to a process that dies. */
async function assertDurable(c: WorkerContext): Promise<void> {
  const { delay } = c.capabilities;
  const first = await c.start();
  const active = await c.tasks.gate.enqueue();
  await first.saw("started", { id: active.id });
  const retried = await c.tasks.fail.with(delay ? { backoff: { type: "fixed", delay: c.lease } } : {}).enqueue(1);
  await first.saw("failed", { id: retried.id, attempt: 1 });
  await first.kill();
  const waiting = await c.tasks.note.enqueue();
  const scheduled = await c.tasks.note.with(delay ? { delay: c.lease } : {}).enqueue();
  const ids = [active, retried, waiting, scheduled].map(({ id }) => id);

  await c.restart();
  const jobs = ids.map((id) => c.app.job<{ pid: number; attempt: number }>(id));
  const second = await c.start();
  await second.saw("started", { id: active.id, attempt: 2 });
  second.open(active.id);
  await c.completed(jobs);
  await second.stop();
  c.audit(jobs);
}
