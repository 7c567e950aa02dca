import type { OutcomeRecord, Report, ReportRecord, ResultBackend } from "../../contracts/backend.js";
import type { Shared } from "./broker.js";

export class SqliteBackend implements ResultBackend {
  readonly #shared: Shared;

  constructor(shared: Shared) {
    this.#shared = shared;
  }

  async store(outcomes: readonly OutcomeRecord[]): Promise<void> {
    const { store, statements, watcher } = this.#shared;
    if (outcomes.length === 0) return;
    await store.write("durable", () => {
      const first = statements.sequences.take("outcome", outcomes.length);
      statements.outcomes.store(outcomes, first, store.now());
    });
    watcher.touch();
  }

  async read(ids: readonly string[]): Promise<(OutcomeRecord | undefined)[]> {
    const { store, statements } = this.#shared;
    return store.read(() => ids.map((id) => statements.outcomes.find(id, store.now())));
  }

  async forget(ids: readonly string[]): Promise<number> {
    const { store, statements } = this.#shared;
    return store.write("durable", () => {
      const now = store.now();
      for (const id of ids) statements.reports.delete(id);
      return ids.filter((id) => statements.outcomes.delete(id, now)).length;
    });
  }

  async report(reports: readonly Report[]): Promise<void> {
    const { store, statements, watcher } = this.#shared;
    if (reports.length === 0) return;
    await store.write("volatile", () => {
      const now = store.now();
      const first = statements.sequences.take("report", reports.length);
      const lines = reports.reduce((sum, { log }) => sum + (log?.length ?? 0), 0);
      let line = lines === 0 ? 0 : statements.sequences.take("line", lines);
      for (const [index, report] of reports.entries()) {
        statements.reports.add(report, first + index, line, now);
        line += report.log?.length ?? 0;
      }
    });
    watcher.touch();
  }

  async readReport(id: string): Promise<ReportRecord | undefined> {
    const { store, statements } = this.#shared;
    return store.read(() => statements.reports.find(id, store.now()));
  }

  /** Also deletes what has expired of the coordinator's, which has no sweep of its own. */
  async sweep(max: number): Promise<number> {
    const { store, statements } = this.#shared;
    return store.write("volatile", () => {
      const now = store.now();
      let swept = 0;
      for (const kind of [statements.outcomes, statements.reports, statements.entries]) {
        swept += kind.sweep(now, max - swept);
      }
      return swept;
    });
  }
}
