import { randomBytes, randomUUID } from "node:crypto";
import type {
  ClaimedJob,
  ClaimRequest,
  ConsumeOptions,
  Consumer,
  Lease,
  LeaseStatus,
  Settlement,
  SettleStatus,
} from "../../../contracts/broker.js";
import { Waits } from "../../common/waits.js";
import { batches, LARGEST_BATCH } from "../batches.js";
import type { Packable, Unpacked } from "../wire.js";
import type { Shared } from "./broker.js";
import { Doorbells } from "./doorbells.js";
import { deadKeyOf, keyOf, PRIORITY_STEPS, readRaw, writeRaw } from "./kombu.js";
import { resultArgs } from "./results.js";
import { claim, extend, settle } from "./scripts/moving.js";

/** How often lists are looked into that no doorbell hangs at, in ms. */
const POLL = 250;

/** A message of kombu's in a worker's hands, with what is needed to settle it. */
interface Held {
  readonly job: ClaimedJob;
  /** Its bytes, where they are no message and already parked. */
  readonly parked: Buffer | undefined;
}

/** Claims, extends and settles for one worker. */
export class CeleryConsumer implements Consumer {
  readonly #shared: Shared;
  readonly #options: ConsumeOptions;
  readonly #onClose: (closed: CeleryConsumer) => void;
  readonly #doorbells: Doorbells;
  readonly #id = randomBytes(9).toString("base64url");
  readonly #held = new Map<string, Held>();
  readonly #waits: Waits;
  #claims = 0;
  #closed = false;

  constructor(shared: Shared, options: ConsumeOptions, onClose: (closed: CeleryConsumer) => void) {
    this.#shared = shared;
    this.#options = options;
    this.#waits = new Waits(shared.clock);
    this.#onClose = onClose;
    this.#doorbells = new Doorbells(shared.server, options.queues, () => this.#waits.wake());
  }

  async claim(request: ClaimRequest): Promise<ClaimedJob[]> {
    const { clock } = this.#shared;
    const deadline = clock.now() + request.wait;
    for (;;) {
      if (this.#closed || request.signal?.aborted) return [];
      const { jobs, due } = await this.#claimNow(request);
      const left = deadline - clock.now();
      if (jobs.length > 0 || left <= 0 || this.#closed || request.signal?.aborted) return jobs;
      this.#doorbells.listen(left);
      await this.#waits.wait(Math.min(left, POLL, due), request.signal);
    }
  }

  async #claimNow({ queues, max }: ClaimRequest): Promise<{ jobs: ClaimedJob[]; due: number }> {
    const { server } = this.#shared;
    const lists = queues.flatMap((queue) => PRIORITY_STEPS.map((step) => ({ queue, step })));
    const keys = lists.flatMap(({ queue, step }) => [keyOf(queue, step), deadKeyOf(queue)]);
    const token = `${this.#id}.${(++this.#claims).toString(36)}`;
    const answer = await server.ask(claim, [token, this.#options.lease / 1000, Math.min(max, LARGEST_BATCH), keys]);
    const [due, claimed] = Array.isArray(answer) ? answer : [];
    const jobs = (Array.isArray(claimed) ? claimed : []).map((one) => this.#take(one, lists));
    return { jobs, due: Number(due) < 0 ? Number.POSITIVE_INFINITY : Number(due) };
  }

  #take(claimed: Unpacked, lists: readonly { queue: string; step: number }[]): ClaimedJob {
    const [at, tag, raw, parked] = Array.isArray(claimed) ? claimed : [];
    const { queue, step } = lists[Number(at) - 1] ?? { queue: "", step: 0 };
    const token = String(tag);
    const bytes = Buffer.isBuffer(raw) ? raw : Buffer.alloc(0);
    const message = readRaw(bytes, step, token);
    const job: ClaimedJob = { ...message, queue, attempt: message.losses + 1, token, expired: false };
    this.#held.set(token, { job, parked: parked === true ? bytes : undefined });
    return job;
  }

  async settle(settlements: readonly Settlement[]): Promise<SettleStatus[]> {
    const statuses: SettleStatus[] = [];
    for (const batch of batches(settlements)) {
      const letters = await this.#shared.server.letters(
        settle,
        batch.map((one) => this.#settlement(one)),
      );
      for (const letter of letters) statuses.push(letter === "1" ? "settled" : "lost");
      for (const { lease } of batch) this.#held.delete(String(lease.token));
    }
    return statuses;
  }

  #settlement(settlement: Settlement): Packable {
    const tag = String(settlement.lease.token);
    const held = this.#held.get(tag);
    switch (settlement.kind) {
      case "complete":
        return ["c", tag, resultArgs(settlement.outcome)];
      case "dead":
        return this.#dead(settlement, held);
      case "retry":
        return this.#retry(settlement, held);
      case "release": {
        const message = settlement.history === undefined ? "" : this.#changed(held, settlement);
        return this.#later(tag, message, settlement.delay);
      }
    }
  }

  #dead({ lease, outcome, reason, history }: Extract<Settlement, { kind: "dead" }>, held: Held | undefined): Packable {
    const tag = String(lease.token);
    const key = deadKeyOf(lease.queue);
    const dead = { reason, at: this.#shared.clock.now(), id: lease.id };
    const message = held === undefined ? "" : writeRaw(held.job, randomUUID(), { dead, history });
    const result = resultArgs(outcome);
    if (held?.parked !== undefined) return ["p", "", result, key, message, held.parked];
    return ["d", tag, result, key, message];
  }

  /** A protocol that counts in its messages says what to put back; another one's message is kept with its history. */
  #retry(settlement: Extract<Settlement, { kind: "retry" }>, held: Held | undefined): Packable {
    const { again, history, delay, lease } = settlement;
    const tag = String(lease.token);
    if (again === undefined) return this.#later(tag, this.#changed(held, settlement), delay);
    return ["r", tag, [], keyOf(again.queue, again.priority), writeRaw(again, randomUUID(), { history, losses: 0 })];
  }

  #later(tag: string, message: string, delay: number): Packable {
    return ["l", tag, [], message, Math.max(0, delay) / 1000, this.#shared.visibility, randomUUID()];
  }

  #changed(held: Held | undefined, { history }: { readonly history?: Uint8Array }): string {
    if (held === undefined) return "";
    return writeRaw(held.job, randomUUID(), { history, losses: held.job.losses });
  }

  async extend(leases: readonly Lease[]): Promise<LeaseStatus[]> {
    const statuses: LeaseStatus[] = [];
    for (const batch of batches(leases)) {
      const args = [this.#options.lease / 1000, ...batch.map(({ token }) => String(token))];
      const letters = await this.#shared.server.letters(extend, args);
      for (const letter of letters) statuses.push(letter === "h" ? "held" : "lost");
    }
    return statuses;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#waits.wake();
    await this.#doorbells.close();
    this.#onClose(this);
  }
}
