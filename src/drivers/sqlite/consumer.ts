import type {
  ClaimedJob,
  ClaimRequest,
  ConsumeOptions,
  Consumer,
  Lease,
  LeaseStatus,
  Settlement,
  SettleStatus,
} from "../../contracts/broker.js";
import { Waits } from "../common/waits.js";
import type { Shared } from "./broker.js";
import { fromToken } from "./lease-token.js";
import { leaseStatuses, settleAll } from "./settle.js";
import type { Look } from "./statements/claiming.js";

/** At least so many scheduled jobs move in line when a claim finds them due; more would hold the lock too long. */
const PROMOTE_MIN = 1000;

export class SqliteConsumer implements Consumer {
  readonly #shared: Shared;
  readonly #options: ConsumeOptions;
  readonly #onClose: () => void;
  readonly #stopWatching: () => void;
  readonly #waits: Waits;
  #closed = false;

  constructor(shared: Shared, options: ConsumeOptions, onClose: () => void) {
    this.#shared = shared;
    this.#options = options;
    this.#waits = new Waits(shared.clock);
    this.#onClose = onClose;
    this.#stopWatching = shared.watcher.observe(() => this.#tellCancelled(), false);
  }

  async claim(request: ClaimRequest): Promise<ClaimedJob[]> {
    const { store, watcher, clock } = this.#shared;
    const deadline = clock.now() + request.wait;
    for (;;) {
      if (this.#closed) return [];
      const { generation } = watcher;
      const looks = await store.read(() => this.#look(request.queues));
      if (looks.some((look) => isDue(look, store.now()))) {
        const jobs = await this.#claimNow(request);
        if (jobs.length > 0) return jobs;
      }
      if (this.#closed || request.signal?.aborted || clock.now() >= deadline) return [];
      // Another claim of the same worker, or of another, may have been faster: then there is news to look at.
      if (generation === watcher.generation) await this.#wait(Math.min(deadline, earliest(looks)), request.signal);
    }
  }

  /** What the queues have, without the write lock, so that idle workers take nothing from busy ones. */
  #look(queues: readonly string[]): Look[] {
    return queues.flatMap((queue) => this.#shared.statements.claiming.look(queue) ?? []);
  }

  #claimNow(request: ClaimRequest): Promise<ClaimedJob[]> {
    return this.#shared.store.write("volatile", () => this.#claimAll(request));
  }

  #claimAll({ queues, max }: ClaimRequest): ClaimedJob[] {
    const { store, statements } = this.#shared;
    const { worker, lease } = this.#options;
    const now = store.now();
    const jobs: ClaimedJob[] = [];
    for (const name of queues) {
      if (jobs.length >= max) break;
      const look = statements.claiming.look(name);
      if (look === undefined || !isDue(look, now)) continue;
      if ((look.nextDue ?? Number.POSITIVE_INFINITY) <= now) {
        statements.claiming.promote(look.queue, now, Math.max(max, PROMOTE_MIN));
      }
      const terms = { name, max: max - jobs.length, now, until: Math.ceil(now + lease), worker };
      const claimed = statements.claiming.claim(look.queue, terms);
      for (const job of claimed) jobs.push(job);
    }
    return jobs;
  }

  /** Waits until something has changed, until `until`, or until the claim is to end. */
  async #wait(until: number, signal: AbortSignal | undefined): Promise<void> {
    const { clock, watcher } = this.#shared;
    const stopObserving = watcher.observe(() => this.#waits.wake(), true);
    await this.#waits.wait(until - clock.now(), signal);
    stopObserving();
  }

  async settle(settlements: readonly Settlement[], transaction?: unknown): Promise<SettleStatus[]> {
    const { store, statements, watcher, transactions } = this.#shared;
    if (transaction !== undefined) return transactions.settle(transaction, settlements);
    const statuses = await store.write("durable", () => settleAll(statements, settlements, store.now()));
    watcher.touch();
    return statuses;
  }

  async extend(leases: readonly Lease[]): Promise<LeaseStatus[]> {
    const { store, statements } = this.#shared;
    return store.write("volatile", () => {
      const statuses = leaseStatuses(statements, leases);
      const held = leases.filter((_, position) => statuses[position] !== "lost");
      const seqs = held.map(({ token }) => fromToken(token).seq);
      if (seqs.length > 0) statements.leases.extend(seqs, Math.ceil(store.now() + this.#options.lease));
      return statuses;
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#stopWatching();
    this.#waits.wake();
    this.#onClose();
  }

  #tellCancelled(): void {
    const { store, statements } = this.#shared;
    if (store.closed) return;
    const ids = statements.leases.cancelled(this.#options.worker);
    if (ids.length > 0) this.#options.onCancel(ids);
  }
}

function isDue({ hasReady, nextDue }: Look, now: number): boolean {
  return hasReady || (nextDue !== undefined && nextDue <= now);
}

function earliest(looks: readonly Look[]): number {
  return looks.reduce((least, { nextDue }) => Math.min(least, nextDue ?? least), Number.POSITIVE_INFINITY);
}
