import type { OutcomeRecord, Report, ReportRecord, ResultBackend } from "../../contracts/backend.js";
import type { Store } from "./store.js";

export class MemoryBackend implements ResultBackend {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  async store(outcomes: readonly OutcomeRecord[]): Promise<void> {
    const now = this.#store.now();
    for (const outcome of outcomes) this.#store.outcomes.store(outcome, now);
  }

  async read(ids: readonly string[]): Promise<(OutcomeRecord | undefined)[]> {
    const now = this.#store.now();
    return ids.map((id) => this.#store.outcomes.get(id, now));
  }

  async forget(ids: readonly string[]): Promise<number> {
    const now = this.#store.now();
    let forgotten = 0;
    for (const id of ids) {
      if (this.#store.outcomes.delete(id, now)) forgotten++;
      this.#store.reports.delete(id, now);
    }
    return forgotten;
  }

  async report(reports: readonly Report[]): Promise<void> {
    const now = this.#store.now();
    for (const report of reports) {
      const earlier = this.#store.reports.get(report.id, now);
      this.#store.reports.set(report.id, addReport(earlier, report), report.ttl, now);
      this.#store.subscriptions.notify("report", report.id);
    }
  }

  async readReport(id: string): Promise<ReportRecord | undefined> {
    return this.#store.reports.get(id, this.#store.now());
  }

  /** Also deletes what has expired of the coordinator's, which has no sweep of its own. */
  async sweep(max: number): Promise<number> {
    const now = this.#store.now();
    const { outcomes, reports, entries, counters } = this.#store;
    let swept = 0;
    for (const expiring of [outcomes, reports, entries, counters]) swept += expiring.sweep(max - swept, now);
    return swept;
  }
}

function addReport(earlier: ReportRecord | undefined, { progress, log = [] }: Report): ReportRecord {
  const newest = progress ?? earlier?.progress;
  return {
    ...(newest && { progress: newest }),
    version: (earlier?.version ?? 0) + (progress ? 1 : 0),
    log: [...(earlier?.log ?? []), ...log],
  };
}
