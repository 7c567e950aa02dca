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
import type { Clock } from "../../contracts/clock.js";
import type { Logger } from "../../contracts/logger.js";
import type { Unsubscribe } from "../../contracts/notifier.js";
import { TaskwrightError, UnsupportedError } from "../../job/errors.js";
import { decodeId } from "../../job/id-bytes.js";
import { Waits } from "../common/waits.js";
import { batches, LARGEST_BATCH } from "./batches.js";
import { type Claimed, keyOf, readClaim } from "./claimed.js";
import { Expected } from "./expected.js";
import { claim } from "./scripts/claim.js";
import { extend } from "./scripts/extend.js";
import { leave } from "./scripts/leave.js";
import { reclaim } from "./scripts/reclaim.js";
import { settle } from "./scripts/settle.js";
import type { Server } from "./server.js";
import { settleCall, settleStatuses } from "./settle.js";
import type { Subscriptions } from "./subscriptions.js";
import type { Packable } from "./wire.js";

const LEASE_STATUSES: Readonly<Record<string, LeaseStatus>> = { h: "held", c: "cancel" };

/** How long a consumer is noted as waiting after its wait is over, in ms, for clocks that differ in pace. */
const SLACK = 1000;

/** What the contracts of one connection share. */
export interface Shared {
  readonly server: Server;
  readonly subscriptions: Subscriptions;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Claims, extends and settles for one worker. It waits without asking: a claim that finds nothing notes the consumer as
 * idle, and whoever makes a job claimable tells one idle consumer through that one's own channel, or hands it over.
 */
export class RedisConsumer implements Consumer {
  readonly #shared: Shared;
  readonly #options: ConsumeOptions;
  readonly #onClose: (closed: RedisConsumer) => void;
  /** 12 characters, which begin each of its tokens and name its channel. */
  readonly #id = randomBytes(9).toString("base64url");
  #stopListening: Unsubscribe = () => {};
  /** Ends the waits of pending claims. */
  readonly #waits: Waits;
  readonly #expected = new Expected();
  #claims = 0;
  /** Grows with each message that there may be work. */
  #generation = 0;
  #closed = false;

  private constructor(shared: Shared, options: ConsumeOptions, onClose: (closed: RedisConsumer) => void) {
    this.#shared = shared;
    this.#options = options;
    this.#waits = new Waits(shared.clock);
    this.#onClose = onClose;
  }

  static async open(
    shared: Shared,
    options: ConsumeOptions,
    onClose: (closed: RedisConsumer) => void,
  ): Promise<RedisConsumer> {
    const consumer = new RedisConsumer(shared, options, onClose);
    const hear = (message: Buffer | undefined): void => consumer.#hear(message);
    consumer.#stopListening = await shared.subscriptions.subscribe(`worker:${consumer.#id}`, hear);
    return consumer;
  }

  #hear(message: Buffer | undefined): void {
    if (message?.[0] === CANCEL) return this.#options.onCancel([decodeId(message.subarray(1))]);
    if (message?.[0] === HANDED) this.#expected.receive(message.subarray(1));
    this.#wake();
  }

  #wake(): void {
    this.#generation++;
    this.#waits.wake();
  }

  async claim(request: ClaimRequest): Promise<ClaimedJob[]> {
    const { clock } = this.#shared;
    const deadline = clock.now() + request.wait;
    for (;;) {
      const generation = this.#generation;
      if (this.#closed) return [];
      if (request.signal?.aborted) return this.#waitNoMore();
      const come = await this.#come();
      if (come.length > 0) return come;
      const left = deadline - clock.now();
      const claimed = await this.#claimNow(request, Math.max(0, left));
      if (claimed.handed) continue;
      const { jobs } = claimed;
      if (jobs.length > 0 || left <= 0) return jobs;
      // A message may be faster than the answer that it follows.
      if (generation === this.#generation && !request.signal?.aborted)
        await this.#waits.wait(Math.min(left, nextDueOf(claimed)), request.signal);
    }
  }

  async #claimNow({ queues, max }: ClaimRequest, wait: number): Promise<Claimed> {
    const { server } = this.#shared;
    const expected = this.#expected;
    const token = this.#nextToken();
    const limit = Math.min(max, LARGEST_BATCH);
    const waited = expected.waits;
    const lasts = wait === 0 ? 0 : Math.ceil(wait + SLACK);
    if (lasts > 0) expected.wait(token, queues);
    const args = [this.#id, token, this.#options.lease, limit, lasts, waited, queues];
    const answer = await server.run(claim, args).catch((error: unknown) => {
      if (error instanceof TaskwrightError && error.outcome === "unknown") expected.lose(token);
      throw error;
    });
    const claimed = readClaim(server.expectBytes(answer), queues, token);
    server.noteTime(claimed.time);
    if (claimed.handed) expected.handedOver(token);
    else if (claimed.jobs.length > 0 || lasts === 0) expected.waitNoMore();
    else expected.waitOnly(token);
    return claimed;
  }

  /** Jobs that were handed over, or that an earlier claim leased while its answer was lost on the way. */
  async #come(): Promise<ClaimedJob[]> {
    const come = this.#expected.take();
    for (let token = this.#expected.unanswered; token !== undefined; token = this.#expected.unanswered) {
      if (come.length > 0) break;
      come.push(...(await this.#reclaim(token)));
    }
    return come;
  }

  async #reclaim(token: string): Promise<ClaimedJob[]> {
    const { server } = this.#shared;
    const { lease, queues } = this.#options;
    const answer = await server.run(reclaim, [token, lease, queues]);
    this.#expected.answered(token);
    return readClaim(server.expectBytes(answer), queues, token).jobs;
  }

  /** Ends the wait at the server, where others would hand jobs over, and answers what has come until then. */
  async #waitNoMore(): Promise<ClaimedJob[]> {
    const { server } = this.#shared;
    if (this.#expected.waits && server.client.ready) {
      const waited = Number(await server.run(leave, [this.#id, this.#options.queues]));
      if (waited === 0) this.#expected.handedOver();
      else this.#expected.waitNoMore();
    }
    return this.#come();
  }

  /** Names the consumer, then the claim, then for inspection the worker. */
  #nextToken(): string {
    return `${this.#id}.${(++this.#claims).toString(36)}.${this.#options.worker}`;
  }

  async settle(settlements: readonly Settlement[], transaction?: unknown): Promise<SettleStatus[]> {
    if (transaction !== undefined) throw new UnsupportedError("redis cannot settle jobs inside a transaction");
    const statuses: SettleStatus[] = [];
    for (const batch of batches(settlements)) {
      const call = settleCall(batch);
      const letters = await this.#shared.server.letters(settle, call.args);
      for (const status of settleStatuses(letters, call)) statuses.push(status);
    }
    return statuses;
  }

  async extend(leases: readonly Lease[]): Promise<LeaseStatus[]> {
    const statuses: LeaseStatus[] = new Array(leases.length).fill("lost");
    let from = 0;
    for (const batch of batches(leases)) {
      const groups = byQueue(batch);
      const args: Packable[] = [this.#options.lease];
      for (const [queue, { pairs }] of groups) args.push([queue, pairs]);
      const letters = await this.#shared.server.letters(extend, args);
      const positions = [...groups.values()].flatMap(({ positions }) => positions);
      for (const [at, position] of positions.entries())
        statuses[from + position] = LEASE_STATUSES[letters[at] ?? ""] ?? "lost";
      from += batch.length;
    }
    return statuses;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#wake();
    // Those that nobody takes any more need not wait for their leases to pass; without a server they have to.
    try {
      const come = await this.#waitNoMore();
      if (come.length > 0) await this.settle(come.map((lease) => ({ kind: "release", lease, delay: 0 })));
    } catch (error) {
      this.#shared.logger.debug({ error }, "jobs that redis handed over could not be given back");
    }
    this.#stopListening();
    this.#onClose(this);
  }
}

/** What messages begin with. Others say that there is work. */
const CANCEL = "c".charCodeAt(0);
const HANDED = "j".charCodeAt(0);

/** Milliseconds until the next job is due. */
function nextDueOf({ time, nextDue }: Claimed): number {
  return nextDue === undefined ? Number.POSITIVE_INFINITY : nextDue - time;
}

interface Extending {
  readonly pairs: (Uint8Array | string)[];
  readonly positions: number[];
}

function byQueue(leases: readonly Lease[]): Map<string, Extending> {
  const groups = new Map<string, Extending>();
  for (const [at, lease] of leases.entries()) {
    const { queue, token } = lease;
    const group = groups.get(queue) ?? { pairs: [], positions: [] };
    groups.set(queue, group);
    group.pairs.push(keyOf(lease), String(token));
    group.positions.push(at);
  }
  return groups;
}
