import { randomBytes } from "node:crypto";
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
import type { CancelTimer } from "../../contracts/clock.js";
import type { Unsubscribe } from "../../contracts/notifier.js";
import { TaskwrightError } from "../../job/errors.js";
import { decodeId } from "../../job/id-bytes.js";
import { Waits } from "../common/waits.js";
import { bytes, text } from "./cells.js";
import type { Channels } from "./channels.js";
import { CLAIM_COLUMNS, type Found, readFound } from "./claimed.js";
import { type Database, onlyRow, type Queryable } from "./database.js";
import type { Heard, Hints } from "./hints.js";
import { everyNumber } from "./packing.js";
import type { Search } from "./search.js";
import { noteStatuses, settleCalls } from "./settle.js";
import { fromToken, toToken } from "./token.js";
import { adoptTransaction } from "./user-transaction.js";
import type { WorkNews } from "./work-news.js";

const LEASE_STATUSES: Readonly<Record<string, LeaseStatus>> = { h: "held", c: "cancel" };

/** What the contracts of one connection share. */
export interface Shared {
  readonly database: Database;
  readonly hints: Hints;
  readonly search: Search;
  readonly work: WorkNews;
  /** Absent where connections cannot listen: then what is told is looked for. */
  readonly channels: Channels | undefined;
  /** Milliseconds between looks. */
  readonly pollInterval: number;
}

/** Claims, extends and settles for one worker. */
export class PostgresConsumer implements Consumer {
  readonly #shared: Shared;
  readonly #options: ConsumeOptions;
  readonly #onClose: (closed: PostgresConsumer) => void;
  /** In each of its leases, with the number of the claim. */
  readonly #id = randomBytes(9).toString("base64url");
  readonly #waits: Waits;
  /** Claims whose answer never came: what they leased is given back. */
  readonly #unanswered = new Set<string>();
  /** Leases of jobs that a transaction of the user's may hold, and what they became for it. */
  readonly #split = new WeakMap<Lease, Lease>();
  #claims = 0;
  /** Grows with each message that there may be work. */
  #generation = 0;
  #stopListening: Unsubscribe = () => {};
  #stopWaking: Unsubscribe = () => {};
  #cancelPolling: CancelTimer = () => {};
  #closed = false;

  private constructor(shared: Shared, options: ConsumeOptions, onClose: (closed: PostgresConsumer) => void) {
    this.#shared = shared;
    this.#options = options;
    this.#waits = new Waits(shared.database.clock);
    this.#onClose = onClose;
  }

  static async open(
    shared: Shared,
    options: ConsumeOptions,
    onClose: (closed: PostgresConsumer) => void,
  ): Promise<PostgresConsumer> {
    const consumer = new PostgresConsumer(shared, options, onClose);
    consumer.#stopWaking = shared.work.observe(consumer.#wake);
    const { channels } = shared;
    if (channels === undefined) consumer.#schedulePolling();
    else consumer.#stopListening = await channels.subscribe("stop", (message) => consumer.#hearStop(message));
    return consumer;
  }

  /** Of no queue: of any. */
  readonly #wake = (queue: string | undefined, due: number): void => {
    if (queue !== undefined && !this.#options.queues.includes(queue)) return;
    this.#generation++;
    this.#waits.wake(this.#shared.database.toLocal(due));
  };

  #hearStop(message: string | undefined): void {
    if (message === undefined) {
      this.#askForCancelled();
      return;
    }
    const [holder = "", id = ""] = message.split(" ");
    if (holder.startsWith(`${this.#id}.`)) this.#options.onCancel([decodeId(Buffer.from(id, "hex"))]);
  }

  #schedulePolling(): void {
    this.#cancelPolling = this.#shared.database.clock.schedule(() => {
      this.#askForCancelled();
      this.#schedulePolling();
    }, this.#shared.pollInterval);
  }

  #askForCancelled(): void {
    const { database } = this.#shared;
    const { schema } = database;
    const stopped = `SELECT j.id FROM ${schema}.leased() l JOIN ${schema}.jobs j USING (seq) WHERE j.cancel AND l.holder LIKE $1`;
    database.query(stopped, [`${this.#id.replace(/_/g, "\\_")}.%`]).then(
      (rows) => {
        if (rows.length > 0 && !this.#closed) this.#options.onCancel(rows.map(([id]) => decodeId(bytes(id))));
      },
      // The next heartbeat tells as well.
      () => {},
    );
  }

  async claim(request: ClaimRequest): Promise<ClaimedJob[]> {
    const { database, channels, pollInterval } = this.#shared;
    const deadline = database.clock.now() + request.wait;
    for (;;) {
      if (this.#closed || request.signal?.aborted) return [];
      const generation = this.#generation;
      const found = await this.#look(request);
      const jobs = found.length === 1 && found[0] ? [...found[0].jobs] : found.flatMap(({ jobs }) => jobs);
      const left = deadline - database.clock.now();
      if (jobs.length > 0 || left <= 0 || this.#closed || request.signal?.aborted) return jobs;
      // A message may be faster than the answer that it follows.
      if (generation !== this.#generation) continue;
      const heard = channels?.healthy === true;
      await this.#waits.wait(Math.min(left, nextDueOf(found), heard ? left : pollInterval), request.signal);
    }
  }

  /** With what is known of the queues, where that is little worth without. */
  async #look(request: ClaimRequest): Promise<Found[]> {
    await this.#giveBackUnanswered();
    const { hints, search, database } = this.#shared;
    await search.start(request.queues);
    const due = hints.isFullDue(database.clock.now());
    const full = due && hints.fullIsCheap;
    if (due && !full) void search.lookBehind(request.queues);
    const found = await this.#claimNow(request, full);
    if (full || !hints.fullIsCheap || this.#closed || found.some(({ jobs }) => jobs.length > 0)) return found;
    return this.#claimNow(request, true);
  }

  #claimNow(request: ClaimRequest, full: boolean): Promise<Found[]> {
    return this.#shared.hints.whileHearing((heard) => this.#claimHearing(request, full, heard));
  }

  async #claimHearing({ queues, max }: ClaimRequest, full: boolean, heard: Heard): Promise<Found[]> {
    const { hints, database } = this.#shared;
    const { lease, worker } = this.#options;
    const holder = `${this.#id}.${(++this.#claims).toString(36)}`;
    const given = queues.map((queue) => (full ? null : hints.of(queue)));
    const began = database.clock.now();
    const claim = `SELECT ${CLAIM_COLUMNS} FROM ${database.schema}.claim($1::text[], $2::text[], $3, $4, $5, $6)`;
    const values = [[...queues], given as string[], max, Math.ceil(lease), holder, worker];
    const rows = await database.query(claim, values).catch((error: unknown) => {
      if (error instanceof TaskwrightError && error.outcome === "unknown") this.#unanswered.add(holder);
      throw error;
    });
    const found = rows.map((row) => readFound(row, queues));
    for (const { place, hint } of found) hints.set(queues[place] ?? "", hint, heard);
    const ended = database.clock.now();
    if (found[0]) database.noteTime(found[0].moment);
    if (full) hints.noteFull(ended, ended - began);
    return found;
  }

  /** Jobs that an earlier claim leased while its answer was lost on the way: nobody runs them. */
  async #giveBackUnanswered(): Promise<void> {
    if (this.#unanswered.size === 0) return;
    const holders = [...this.#unanswered];
    const { database, hints } = this.#shared;
    await database.query(`DELETE FROM ${database.schema}.leases WHERE holder = ANY($1::text[])`, [holders]);
    hints.resetAll();
    for (const holder of holders) this.#unanswered.delete(holder);
  }

  async settle(settlements: readonly Settlement[], transaction?: unknown): Promise<SettleStatus[]> {
    const { database, work, channels } = this.#shared;
    const queryable: Queryable =
      transaction === undefined ? database : adoptTransaction(transaction, database.location);
    if (transaction !== undefined) for (const { lease } of settlements) await this.#splitOff(lease);
    const current = settlements.map((settlement) => ({ ...settlement, lease: this.#current(settlement.lease) }));
    const statuses = new Array<SettleStatus>(settlements.length).fill("lost");
    for (const call of settleCalls(database.schema, current)) {
      const [answer] = onlyRow(await queryable.query(call.text, call.values), database.location);
      noteStatuses(statuses, text(answer), call);
    }
    if (channels?.healthy !== true) {
      for (const { kind, lease } of settlements) if (kind === "retry" || kind === "release") work.tell(lease.queue, 0);
    }
    return statuses;
  }

  /** Jobs of a claim share a lease. A transaction that held it would hold up the others, and their heartbeats. */
  async #splitOff(lease: Lease): Promise<void> {
    if (this.#split.has(lease)) return;
    const { database } = this.#shared;
    const [claim, seq] = fromToken(lease);
    const rows = await database.query(`SELECT ${database.schema}.split_lease($1::bigint, $2::bigint)`, [claim, seq]);
    const [own] = onlyRow(rows, database.location);
    this.#split.set(lease, { ...lease, token: toToken(text(own), Number(seq)) });
  }

  #current(lease: Lease): Lease {
    return this.#split.get(lease) ?? lease;
  }

  async extend(leases: readonly Lease[]): Promise<LeaseStatus[]> {
    if (leases.length === 0) return [];
    const { database } = this.#shared;
    const keys = leases.map((lease) => fromToken(this.#current(lease)));
    const rows = await database.query(`SELECT ${database.schema}.extend($1::bigint[], $2::bigint[], $3)`, [
      everyNumber(keys.map(([claim]) => claim)),
      everyNumber(keys.map(([, seq]) => seq)),
      Math.ceil(this.#options.lease),
    ]);
    const [letters] = onlyRow(rows, database.location);
    return Array.from(text(letters), (letter) => LEASE_STATUSES[letter] ?? "lost");
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#cancelPolling();
    this.#stopListening();
    this.#stopWaking();
    this.#waits.wake();
    this.#onClose(this);
  }
}

/** Milliseconds until the next job is due. */
function nextDueOf(found: readonly Found[]): number {
  return found.reduce(
    (least, { moment, nextDue }) => (nextDue === undefined ? least : Math.min(least, nextDue - moment)),
    Number.POSITIVE_INFINITY,
  );
}
