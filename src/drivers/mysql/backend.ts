import type { OutcomeRecord, Report, ReportRecord, ResultBackend } from "../../contracts/backend.js";
import type { Shared } from "./consumer.js";

export class MysqlBackend implements ResultBackend {
  readonly #shared: Shared;

  constructor(shared: Shared) {
    this.#shared = shared;
  }

  async store(outcomes: readonly OutcomeRecord[]): Promise<void> {
    const { store, statements } = this.#shared;
    if (outcomes.length === 0) return;
    await store.write((session) => statements.outcomes.store(session, outcomes));
  }

  async read(ids: readonly string[]): Promise<(OutcomeRecord | undefined)[]> {
    const { store, statements } = this.#shared;
    if (ids.length === 0) return [];
    const found = await store.read((session) => statements.outcomes.read(session, ids));
    const byId = new Map(found.map((outcome) => [outcome.id, outcome]));
    return ids.map((id) => byId.get(id));
  }

  async forget(ids: readonly string[]): Promise<number> {
    const { store, statements } = this.#shared;
    return store.write(async (session) => {
      await statements.reports.delete(session, ids);
      return statements.outcomes.delete(session, ids);
    });
  }

  async report(reports: readonly Report[]): Promise<void> {
    const { store, statements } = this.#shared;
    if (reports.length === 0) return;
    await store.write(async (session) => {
      for (const report of reports) await statements.reports.add(session, report);
    });
  }

  async readReport(id: string): Promise<ReportRecord | undefined> {
    const { store, statements } = this.#shared;
    return store.read((session) => statements.reports.find(session, id));
  }

  /** Also deletes what has expired of the coordinator's, which has no sweep of its own. */
  async sweep(max: number): Promise<number> {
    const { store, statements } = this.#shared;
    return store.write(async (session) => {
      let swept = 0;
      for (const kind of [statements.outcomes, statements.reports, statements.entries]) {
        swept += await kind.sweep(session, max - swept);
      }
      return swept;
    });
  }
}
