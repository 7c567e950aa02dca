import type { Runtime } from "./runtime.js";
import type { Worker, WorkerOptions, WorkerStats } from "./worker/worker.js";

/** What `drain` did. */
export type DrainReport = Pick<WorkerStats, "completed" | "retried" | "dead" | "cancelled">;

/** Runs what is due in every queue that is not paused, round after round until nothing is. */
export async function drain(runtime: Runtime, makeWorker: (options: WorkerOptions) => Worker): Promise<DrainReport> {
  const report = { completed: 0, retried: 0, dead: 0, cancelled: 0 };
  const inspector = runtime.route.requireInspector();
  for (;;) {
    const summaries = await inspector.queues();
    const queues = summaries
      .filter(({ paused, counts }) => !paused && (counts.waiting ?? 0) > 0)
      .map(({ queue }) => queue);
    if (queues.length === 0) return report;
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
