import type { ReportRecord } from "../contracts/index.js";
import type { Codec } from "../job/codec/index.js";
import type { HandleAccess, JobAccess } from "../job/handle.js";
import { firstOf } from "../job/places.js";
import type { Route } from "../route.js";
import { stateAt } from "./job-state.js";

/** Without a notifier, progress is read this often, in ms; with one, this only catches what a notification missed. */
const POLL = 250;

/**
 * The progress of one job: iterate to follow it until the job ends, or ask for the newest value. A reader that is slower
 * than the job sees the newest value, not every one.
 */
export class ProgressStream implements AsyncIterable<unknown> {
  readonly #id: string;
  readonly #access: () => Promise<HandleAccess>;

  /** @internal */
  constructor(id: string, access: () => Promise<HandleAccess>) {
    this.#id = id;
    this.#access = access;
  }

  /** The newest value, or `undefined` where there is none yet. */
  async last(): Promise<unknown> {
    const { runtime, routes } = await this.#access();
    const report = await firstOf(
      routes,
      (route) => route.requireBackend().readReport(this.#id),
      (found) => found === undefined,
    );
    return report?.progress === undefined ? undefined : decodeProgress(report.progress, runtime.codec);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<unknown, void, undefined> {
    const access = await this.#find();
    const changes = new Changes(access, this.#id);
    await changes.subscribe();
    try {
      yield* this.#follow(access, changes);
    } finally {
      changes.close();
    }
  }

  /** Where somebody has heard of the job by now; else where the app's own jobs are. */
  async #find(): Promise<JobAccess> {
    const { runtime, routes } = await this.#access();
    const [own, ...others] = routes;
    if (others.length === 0) return { runtime, route: own };
    const found = await firstOf(
      routes,
      async (route) => ((await this.#isKnown(route)) ? route : undefined),
      (route) => route === undefined,
    );
    return { runtime, route: found ?? own };
  }

  async #isKnown(route: Route): Promise<boolean> {
    if ((await stateAt(this.#id, route)) !== "unknown") return true;
    return (await route.backend?.readReport(this.#id)) !== undefined;
  }

  async *#follow({ runtime, route }: JobAccess, changes: Changes): AsyncGenerator<unknown, void, undefined> {
    const backend = route.requireBackend();
    for (let seen = 0; ; ) {
      // The outcome is read first: progress reported before the end is then in the report that follows.
      const [ended] = await backend.read([this.#id]);
      const report: ReportRecord | undefined = await backend.readReport(this.#id);
      if (report?.progress !== undefined && report.version > seen) {
        seen = report.version;
        yield decodeProgress(report.progress, runtime.codec);
      }
      if (ended !== undefined) return;
      await changes.next();
      route.requireOpen();
    }
  }
}

/** A progress body is `[value]`. */
function decodeProgress(body: Uint8Array, codec: Codec): unknown {
  const fields = codec.decode(body);
  return Array.isArray(fields) ? fields[0] : undefined;
}

/** Wakes a follower when its job reported or ended. */
class Changes {
  readonly #access: JobAccess;
  readonly #id: string;
  readonly #unsubscribes: (() => void)[] = [];
  #changed = false;
  #wake: (() => void) | undefined;

  constructor(access: JobAccess, id: string) {
    this.#access = access;
    this.#id = id;
  }

  async subscribe(): Promise<void> {
    const { notifier } = this.#access.route;
    for (const kind of ["report", "outcome"] as const) {
      const unsubscribe = await notifier?.subscribe({ kind, id: this.#id }, () => this.#signal());
      if (unsubscribe !== undefined) this.#unsubscribes.push(unsubscribe);
    }
  }

  async next(): Promise<void> {
    const cancelTimer = this.#access.runtime.clock.schedule(() => this.#signal(), POLL, true);
    if (!this.#changed) await new Promise<void>((resolve) => (this.#wake = resolve));
    this.#changed = false;
    cancelTimer();
  }

  close(): void {
    for (const unsubscribe of this.#unsubscribes) unsubscribe();
  }

  #signal(): void {
    this.#changed = true;
    this.#wake?.();
    this.#wake = undefined;
  }
}
