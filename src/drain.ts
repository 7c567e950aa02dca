import type { Route } from "./route.js";
import { allRoutes, type Runtime, routeFor } from "./runtime.js";
import type { Worker, WorkerOptions, WorkerStats } from "./worker/worker.js";

/** What `drain` did. */
export type DrainReport = Pick<WorkerStats, "completed" | "retried" | "dead" | "cancelled">;

/** Runs what is due in every queue that is not paused, in all places of the app, round after round until nothing is. */
export async function drain(runtime: Runtime, makeWorker: (options: WorkerOptions) => Worker): Promise<DrainReport> {
  const report = { completed: 0, retried: 0, dead: 0, cancelled: 0 };
  const routes = await allRoutes(runtime);
  for (;;) {
    const places = await Promise.all(routes.map((route) => waitingAt(route, runtime)));
    const filled = places.filter((queues) => queues.length > 0);
    if (filled.length === 0) return report;
    for (const queues of filled) {
      // A handler may wait for a job that it has enqueued: that one must not be held back behind it.
      const worker = makeWorker({ queues, prefetch: 0 });
      await worker.drain();
      const { completed, retried, dead, cancelled } = worker.stats;
      report.completed += completed;
      report.retried += retried;
      report.dead += dead;
      report.cancelled += cancelled;
    }
  }
}

/** The queues with something to do in a place, without those that happen to be there and are the app's elsewhere. */
async function waitingAt(route: Route, runtime: Runtime): Promise<string[]> {
  const summaries = await route.requireInspector().queues();
  const names = summaries
    .filter(({ paused, counts }) => !paused && (counts.waiting ?? 0) > 0)
    .map(({ queue }) => queue);
  const homes = await Promise.all(names.map((queue) => routeFor(runtime, {}, queue)));
  return names.filter((_, index) => homes[index] === route);
}
