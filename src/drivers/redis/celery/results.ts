import type { OutcomeRecord, Report, ReportRecord, ResultBackend } from "../../../contracts/backend.js";
import type { Arrival, Joiner } from "../../../contracts/joiner.js";
import type { Listener, Notifier, Topic, Unsubscribe } from "../../../contracts/notifier.js";
import { toOutcome } from "../../common/celery.js";
import { RedisBackend } from "../backend.js";
import { batches } from "../batches.js";
import type { Server } from "../server.js";
import type { Subscriptions } from "../subscriptions.js";
import type { Packable } from "../wire.js";
import { addPart, expectParts, storeResults } from "./scripts/results.js";

type Kept = Pick<OutcomeRecord, "id" | "body" | "ttl">;

/** What scripts take to keep a result: key, value and seconds, or nothing. */
export function resultArgs(outcome: Kept | undefined): Packable[] {
  if (outcome === undefined) return [];
  return [
    resultKeyOf(outcome.id),
    outcome.body,
    outcome.ttl === undefined ? 0 : Math.max(1, Math.ceil(outcome.ttl / 1000)),
  ];
}

/** Also the channel on which a result is told. */
export function resultKeyOf(id: string): string {
  return `celery-task-meta-${id}`;
}

/** Results in `celery-task-meta-<id>`, told on a channel of the same name, as Celery's Redis backend does. */
export class CeleryResults implements ResultBackend {
  readonly #server: Server;
  /** Progress and logs, for which Celery has no place. */
  readonly #reports: RedisBackend;

  constructor(server: Server) {
    this.#server = server;
    this.#reports = new RedisBackend(server);
  }

  async store(outcomes: readonly Kept[]): Promise<void> {
    for (const batch of batches(outcomes)) await this.#server.run(storeResults, batch.map(resultArgs));
  }

  async mark(states: readonly Kept[]): Promise<void> {
    await this.store(states);
  }

  async read(ids: readonly string[]): Promise<(OutcomeRecord | undefined)[]> {
    const found: (OutcomeRecord | undefined)[] = [];
    for (const batch of batches(ids)) {
      const values = await this.#server.command("MGET", ...batch.map(resultKeyOf));
      for (const [at, id] of batch.entries()) found.push(toOutcome(id, Array.isArray(values) ? values[at] : undefined));
    }
    return found;
  }

  async forget(ids: readonly string[]): Promise<number> {
    if (ids.length === 0) return 0;
    await this.#reports.forget(ids);
    return Number(await this.#server.command("DEL", ...ids.map(resultKeyOf)));
  }

  report(reports: readonly Report[]): Promise<void> {
    return this.#reports.report(reports);
  }

  readReport(id: string): Promise<ReportRecord | undefined> {
    return this.#reports.readReport(id);
  }

  /** Redis drops what has expired by itself. */
  async sweep(): Promise<number> {
    return 0;
  }
}

/** Tells of results by subscription, as Celery's own clients hear of them. */
export class CeleryNotifier implements Notifier {
  readonly #subscriptions: Subscriptions;

  constructor(subscriptions: Subscriptions) {
    this.#subscriptions = subscriptions;
  }

  subscribe({ kind, id }: Topic, listener: Listener): Promise<Unsubscribe> {
    if (kind === "report") return this.#subscriptions.subscribe(`report:${id}`, () => listener());
    return this.#subscriptions.subscribeTo(resultKeyOf(id), (message) => listener(toOutcome(id, message)));
  }
}

/** Chords, as Celery's Redis backend counts them: `celery-taskset-meta-<group>.j`, `.t` and `.s`. */
export class CeleryJoiner implements Joiner {
  readonly #server: Server;

  constructor(server: Server) {
    this.#server = server;
  }

  async expect(group: string, parts: number, ttl?: number): Promise<void> {
    await this.#server.run(expectParts, [groupKey(group, ".s"), String(parts), secondsOf(ttl)]);
  }

  async arrive({ group, index, part, ttl }: Arrival): Promise<readonly Uint8Array[] | undefined> {
    const keys = [".j", ".t", ".s"].map((suffix) => groupKey(group, suffix));
    const position = index === undefined ? "inf" : String(index);
    const parts = await this.#server.ask(addPart, [...keys, part, position, secondsOf(ttl)]);
    return Array.isArray(parts) ? parts.filter((one): one is Buffer => Buffer.isBuffer(one)) : undefined;
  }

  async leave(group: string): Promise<void> {
    await this.#server.command("DEL", ...[".j", ".t", ".s"].map((suffix) => groupKey(group, suffix)));
  }
}

function groupKey(group: string, suffix: string): string {
  return `celery-taskset-meta-${group}${suffix}`;
}

function secondsOf(ttl: number | undefined): number {
  return ttl === undefined ? 0 : Math.max(1, Math.ceil(ttl / 1000));
}
