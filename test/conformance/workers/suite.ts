import fc from "fast-check";
import { WorkerContext, workerConformance } from "taskwright/conformance";
import { describe, expect, onTestFinished, test } from "vitest";
import { notSelected } from "../../support/not-selected.js";
import { programCommand, type SharedDriver, selectedPlace } from "../../support/shared-drivers.js";

const command = await programCommand();

/** Runs the suite of workers on a driver, or on a broker with a backend beside it. */
export function testWorkers(name: string): void {
  const place = selectedPlace(name);
  if (place === undefined) return notSelected(name);
  workerConformance({
    ...place,
    command,
    runner: { describe, test },
    report: (figure) => console.log(`${name}: ${figure}`),
  });
  testRetryCounts(place);
}

/** How a job is enqueued and what it does: everything that could change how often it runs. */
const plan = fc.record({
  attempts: fc.integer({ min: 1, max: 8 }),
  failures: fc.integer({ min: 0, max: 10 }),
  priority: fc.integer({ min: 0, max: 9 }),
  backoff: fc.integer({ min: 0, max: 20 }),
});

function testRetryCounts({ name, capabilities, open }: SharedDriver): void {
  test(`on ${name}, a job of n attempts that always fails runs n times, one that succeeds once it has`, async () => {
    const c = await WorkerContext.open({ place: await open(), capabilities, command });
    onTestFinished(() => c.close());
    await Promise.all([c.start(), c.start()]);
    const property = fc.asyncProperty(fc.array(plan, { minLength: 1, maxLength: 40 }), async (plans) => {
      const jobs = await Promise.all(
        plans.map(({ attempts, failures, priority, backoff }) =>
          c.tasks.fail.with({ attempts, priority, backoff: { type: "fixed", delay: backoff } }).enqueue(failures),
        ),
      );
      const outcomes = await Promise.all(jobs.map((job) => c.outcome(job)));
      const entries = c.entries().filter(({ what }) => what === "started");
      for (const [index, { attempts, failures }] of plans.entries()) {
        const runs = Math.min(attempts, failures + 1);
        const counted = entries.filter(({ id }) => id === jobs[index]?.id).map(({ attempt }) => attempt);
        expect(counted).toEqual(Array.from({ length: runs }, (_, n) => n + 1));
        expect(outcomes[index]).toMatchObject({ state: failures < attempts ? "completed" : "dead", attempt: runs });
      }
    });
    await fc.assert(property, { numRuns: 12, interruptAfterTimeLimit: 15_000 });
  });
}
