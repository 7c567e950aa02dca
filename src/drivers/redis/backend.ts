import type { OutcomeRecord, Report, ReportRecord, ResultBackend } from "../../contracts/backend.js";
import { encodeId } from "../../job/id-bytes.js";
import { batches } from "./batches.js";
import { decodeOutcome, outcomeArgs } from "./outcome.js";
import { forgetOutcomes, readOutcomes, readReport, report, storeOutcomes } from "./scripts/outcomes.js";
import type { Server } from "./server.js";

export class RedisBackend implements ResultBackend {
  readonly #server: Server;

  constructor(server: Server) {
    this.#server = server;
  }

  async store(outcomes: readonly OutcomeRecord[]): Promise<void> {
    for (const batch of batches(outcomes)) {
      const args = batch.map((outcome) => {
        const [name, value, ttl] = outcomeArgs(outcome);
        return [encodeId(name), name, outcome.attempt, value, ttl];
      });
      await this.#server.run(storeOutcomes, args);
    }
  }

  async read(ids: readonly string[]): Promise<(OutcomeRecord | undefined)[]> {
    const found: (OutcomeRecord | undefined)[] = [];
    for (const batch of batches(ids)) {
      const values = await this.#server.ask(readOutcomes, batch.map(encodeId));
      for (const [at, id] of batch.entries())
        found.push(decodeOutcome(id, Array.isArray(values) ? values[at] : undefined));
    }
    return found;
  }

  async forget(ids: readonly string[]): Promise<number> {
    let forgotten = 0;
    for (const batch of batches(ids))
      forgotten += Number(
        await this.#server.run(
          forgetOutcomes,
          batch.map((id) => [encodeId(id), id]),
        ),
      );
    return forgotten;
  }

  async report(reports: readonly Report[]): Promise<void> {
    if (reports.length === 0) return;
    const args = reports.map(({ id, progress, log = [], ttl }) => [
      id,
      progress !== undefined,
      progress ?? "",
      log,
      Math.max(1, Math.ceil(ttl)),
    ]);
    await this.#server.run(report, args);
  }

  async readReport(id: string): Promise<ReportRecord | undefined> {
    const answer = await this.#server.ask(readReport, [id]);
    if (!Array.isArray(answer)) return undefined;
    const [version, progress, lines] = answer;
    return {
      version: Number(version),
      log: Array.isArray(lines) ? lines.map(String) : [],
      ...(Buffer.isBuffer(progress) && { progress }),
    };
  }

  /** Redis drops what has expired by itself. */
  async sweep(): Promise<number> {
    return 0;
  }
}
