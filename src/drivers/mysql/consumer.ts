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
import type { Clock } from "../../contracts/clock.js";
import { TaskwrightError } from "../../job/errors.js";
import { Waits } from "../common/waits.js";
import { Claims } from "./claims.js";
import type { Poller } from "./poller.js";
import { randomNumber } from "./random-number.js";
import { giveBack, settleAll } from "./settle.js";
import type { Statements } from "./statements/index.js";
import type { Store } from "./store.js";
import type { UserTransactions } from "./user-transaction.js";

/** What the contracts of one connection share. */
export interface Shared {
  readonly store: Store;
  readonly statements: Statements;
  readonly poller: Poller;
  readonly clock: Clock;
  readonly transactions: UserTransactions;
}

export class MysqlConsumer implements Consumer {
  readonly #shared: Shared;
  readonly #options: ConsumeOptions;
  readonly #onClose: () => void;
  readonly #stopHolding: () => void;
  readonly #waits: Waits;
  readonly #claims: Claims;
  /** Tokens of claims whose answer was lost: what they leased is given back before the next one. */
  readonly #unanswered = new Set<number>();
  #closed = false;

  constructor(shared: Shared, options: ConsumeOptions, onClose: () => void) {
    this.#shared = shared;
    this.#options = options;
    this.#waits = new Waits(shared.clock);
    this.#claims = new Claims(shared.statements, shared.clock);
    this.#onClose = onClose;
    this.#stopHolding = shared.poller.hold(options);
  }

  async claim(request: ClaimRequest): Promise<ClaimedJob[]> {
    const { poller, clock } = this.#shared;
    const deadline = clock.now() + request.wait;
    for (;;) {
      if (this.#closed || request.signal?.aborted) return [];
      const jobs = await this.#claimNow(request);
      if (jobs.length > 0) poller.noteWork();
      const left = deadline - clock.now();
      if (jobs.length > 0 || left <= 0 || this.#closed || request.signal?.aborted) return jobs;
      await this.#wait(request.queues, left, request.signal);
    }
  }

  async #claimNow(request: ClaimRequest): Promise<ClaimedJob[]> {
    await this.#giveBack();
    const token = randomNumber();
    try {
      return await this.#claimAs(token, request);
    } catch (error) {
      if (error instanceof TaskwrightError && error.outcome === "unknown") this.#unanswered.add(token);
      throw error;
    }
  }

  /** Jobs that an earlier claim leased while its answer was lost on the way. Their leases would only pass. */
  async #giveBack(): Promise<void> {
    const { store, statements } = this.#shared;
    for (const token of this.#unanswered) {
      await store.write((session) => giveBack(statements, session, token));
      this.#unanswered.delete(token);
    }
  }

  #claimAs(token: number, { queues, max }: ClaimRequest): Promise<ClaimedJob[]> {
    const { store, statements } = this.#shared;
    const { lease, worker } = this.#options;
    return store.write(async (session) => {
      const looked = queues.length > 1 ? await statements.looking.look(session, queues, []) : undefined;
      const jobs: ClaimedJob[] = [];
      for (const queue of queues) {
        if (jobs.length >= max) break;
        if (looked === undefined || looked.ready.has(queue)) {
          jobs.push(...(await this.#claims.claim(session, queue, { lease, worker, token, max: max - jobs.length })));
        }
      }
      return jobs;
    });
  }

  /** Waits until there may be work, for `ms`, or until the claim is to end. A poll that fails fails the claim. */
  async #wait(queues: readonly string[], ms: number, signal: AbortSignal | undefined): Promise<void> {
    let failure: unknown;
    const wake = (): void => this.#waits.wake();
    const fail = (error: unknown): void => {
      failure = error;
      wake();
    };
    const stopWaiting = this.#shared.poller.wait({ queues, wake, fail });
    await this.#waits.wait(ms, signal);
    stopWaiting();
    if (failure !== undefined) throw failure;
  }

  async settle(settlements: readonly Settlement[], transaction?: unknown): Promise<SettleStatus[]> {
    const { store, statements, poller, transactions } = this.#shared;
    if (settlements.length === 0) return [];
    if (transaction !== undefined) {
      store.assertOpen();
      return transactions.within(transaction, (session) => settleAll(statements, session, settlements));
    }
    const statuses = await store.write((session) => settleAll(statements, session, settlements));
    if (settlements.some(({ kind }) => kind === "retry" || kind === "release")) poller.touch();
    return statuses;
  }

  async extend(leases: readonly Lease[]): Promise<LeaseStatus[]> {
    const { store, statements } = this.#shared;
    if (leases.length === 0) return [];
    const ids = leases.map(({ id }) => id);
    return store.write(async (session) => {
      const stored = await statements.leases.lock(session, ids);
      const statuses = leases.map(({ id, token }): LeaseStatus => {
        const lease = stored.get(id);
        if (lease === undefined || lease.token !== token) return "lost";
        return lease.cancel ? "cancel" : "held";
      });
      const held = ids.filter((_, position) => statuses[position] !== "lost");
      await statements.leases.extend(session, held, this.#options.lease);
      return statuses;
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#stopHolding();
    this.#waits.wake();
    this.#onClose();
  }
}
