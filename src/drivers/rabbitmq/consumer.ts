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
import type { CancelTimer, Clock } from "../../contracts/clock.js";
import type { Logger } from "../../contracts/logger.js";
import { Waits } from "../common/waits.js";
import { toTaskwrightError } from "./errors.js";
import type { Link } from "./link.js";
import type { Mail, Mailer } from "./mailer.js";
import type { Letter } from "./message.js";
import { Session, type SessionListener } from "./session.js";
import { checkSettlements, deadLetter, mailAgain, mailOn } from "./settle.js";
import type { Topology } from "./topology.js";
import type { Delivery } from "./unsettled.js";

/**
 * How long jobs may lie delivered and unclaimed, in ms, before others get them. They go to the end of their queue then, so it is
 * longer than a worker whose event loop is held up needs to ask again: with 20 ms, a busy machine put jobs out of order.
 */
const LINGER = 200;
/** A job that comes this much before it is due, in ms, is not sent back. */
const EARLY = 1000;

/** What the contracts of one connection share. */
export interface Shared {
  /** The connection that delivers and acknowledges. */
  readonly link: Link;
  readonly topology: Topology;
  readonly mailer: Mailer;
  readonly clock: Clock;
  readonly logger: Logger;
  /** When a job that was lost is due again, in ms. */
  redelivery(): number;
}

/**
 * Claims over push. RabbitMQ delivers as many jobs as the worker has room for, and a claim takes what is there. When nobody
 * claims for a moment, delivery is ended and what lies here unclaimed goes back to its queue, so that no worker sits on jobs
 * that another could run.
 */
export class RabbitmqConsumer implements Consumer, SessionListener {
  readonly #shared: Shared;
  readonly #options: ConsumeOptions;
  readonly #onClose: (closed: RabbitmqConsumer) => void;
  #session: Promise<Session> | undefined;
  #current: Session | undefined;
  /** Ends the waits of pending claims. */
  readonly #waits: Waits;
  /** Claims under way. */
  #claiming = 0;
  #lastClaim = 0;
  #lingering: CancelTimer | undefined;
  #returned: Delivery[] = [];
  /** Copies that are on their way. */
  readonly #sending = new Set<Promise<unknown>>();
  /** Why the last session ended, for whoever was waiting. */
  #failure: unknown;
  #closed = false;

  constructor(shared: Shared, options: ConsumeOptions, onClose: (closed: RabbitmqConsumer) => void) {
    this.#shared = shared;
    this.#options = options;
    this.#waits = new Waits(shared.clock);
    this.#onClose = onClose;
  }

  // Claiming

  async claim(request: ClaimRequest): Promise<ClaimedJob[]> {
    if (this.#closed || request.signal?.aborted) return [];
    this.#claiming += 1;
    try {
      return await this.#alone(await this.#claim(request));
    } catch (error) {
      if (this.#closed) return [];
      throw toTaskwrightError(error, this.#location, "none");
    } finally {
      this.#claiming -= 1;
      this.#lastClaim = this.#shared.clock.now();
      if (this.#claiming === 0) await this.#claimed(request);
    }
  }

  async #claim({ queues, max, wait, signal }: ClaimRequest): Promise<ClaimedJob[]> {
    const { clock } = this.#shared;
    const deadline = clock.now() + wait;
    const over = () => this.#closed || signal?.aborted;
    for (;;) {
      const session = await this.#open();
      const take = () => session.take(queues, max, clock.now());
      const ready = take();
      if (ready.length > 0 || over()) return ready;
      for (const queue of queues) await this.#shared.topology.queue(queue);
      await session.listen(queues, max, this.#options.capacity);
      if (wait === 0) {
        await session.caughtUp(queues);
        return take();
      }
      const arrived = take();
      const left = deadline - clock.now();
      if (arrived.length > 0 || left <= 0 || over()) return arrived;
      await this.#waits.wait(left, signal);
      if (!session.isOpen && !over()) throw this.#failure;
    }
  }

  /**
   * A job that was lost before may be what kills workers. Whatever lay here unclaimed would count as lost with it, so that goes
   * back first: without this, one neighbour of a job that killed three processes was now and then parked with it.
   */
  async #alone(jobs: ClaimedJob[]): Promise<ClaimedJob[]> {
    if (!jobs.some(({ losses }) => losses > 0)) return jobs;
    await this.#pause();
    await Promise.all(this.#sending);
    if (this.#current?.isOpen) await this.#current.flush();
    return jobs;
  }

  arrived(): void {
    this.#waits.wake();
    if (this.#claiming === 0) this.#linger();
  }

  deleted(): void {
    this.#shared.topology.forget();
    this.#waits.wake();
  }

  /** The last claim is over: who aborted it wants no more, and others may be slow to ask again. */
  async #claimed({ signal }: ClaimRequest): Promise<void> {
    if (signal?.aborted) await this.#pause();
    else this.#linger();
  }

  #linger(): void {
    if (this.#lingering !== undefined || this.#closed) return;
    const { clock } = this.#shared;
    this.#lingering = clock.schedule(() => {
      this.#lingering = undefined;
      if (this.#claiming > 0) return;
      if (clock.now() - this.#lastClaim < LINGER) this.#linger();
      else if (this.#current?.mayHold) void this.#pause();
    }, LINGER);
  }

  /** Ends delivery, and gives back what nobody claimed. */
  async #pause(): Promise<void> {
    const session = this.#current;
    if (session === undefined || !session.isOpen) return;
    try {
      const unclaimed = await session.pause();
      await this.#sendOn(session, unclaimed, () => 0);
    } catch (error) {
      // The session is gone, and RabbitMQ has given back everything.
      this.#shared.logger.debug({ err: error }, "a channel of rabbitmq closed while its delivery was ended");
    }
  }

  // Jobs that were lost by others, or are not due

  returned(delivery: Delivery): void {
    delivery.busy = true;
    this.#returned.push(delivery);
    if (this.#returned.length > 1) return;
    queueMicrotask(() => {
      const returned = this.#returned;
      this.#returned = [];
      const { clock, redelivery } = this.#shared;
      const session = this.#current;
      if (session === undefined) return;
      const earlyBy = ({ delivered: { state } }: Delivery) => (state.dueAt ?? 0) - clock.now();
      const goesOn = (one: Delivery) => one.delivered.newLosses > 0 || earlyBy(one) > EARLY;
      const delayOf = (one: Delivery) => (earlyBy(one) > EARLY ? earlyBy(one) : redelivery());
      for (const one of returned) if (!goesOn(one)) session.keep(one);
      void this.#sendOn(session, returned.filter(goesOn), delayOf);
    });
  }

  /**
   * Sends a copy of each to its queue, and acknowledges each as soon as that has it: a process that dies in between leaves a
   * job there twice. Those that could not be sent stay, to be claimed here.
   */
  async #sendOn(session: Session, deliveries: readonly Delivery[], delayOf: (one: Delivery) => number): Promise<void> {
    if (deliveries.length === 0) return;
    for (const one of deliveries) one.busy = true;
    const now = this.#shared.clock.now();
    const mails = deliveries.map((one) => mailOn(one, delayOf(one), now));
    const left = new Set(deliveries);
    const taken = (index: number): void => {
      const delivery = deliveries[index];
      if (delivery === undefined) return;
      left.delete(delivery);
      session.acknowledge([delivery]);
    };
    const sending = attempt(this.#shared.mailer.send(mails, taken), mails);
    this.#sending.add(sending);
    const failure = (await sending).find((error) => error !== undefined);
    this.#sending.delete(sending);
    if (failure !== undefined)
      this.#shared.logger.debug(
        { err: failure, jobs: left.size },
        "jobs could not be sent on; they stay to be claimed here",
      );
    for (const one of left) session.keep(one);
  }

  // Settling

  async settle(settlements: readonly Settlement[], transaction?: unknown): Promise<SettleStatus[]> {
    checkSettlements(settlements, transaction);
    const session = this.#current;
    const statuses: SettleStatus[] = new Array(settlements.length).fill("lost");
    if (session === undefined || settlements.length === 0) return statuses;
    const held = settlements.map((settlement) => hold(session, settlement));
    const failure = await this.#move(settlements, held);
    const done = held.filter((delivery) => delivery !== undefined);
    try {
      session.acknowledge(done);
      if (session.isOpen) await session.flush();
    } catch (error) {
      throw toTaskwrightError(error, this.#location, "unknown");
    }
    if (failure !== undefined) throw failure;
    for (const [index, delivery] of held.entries()) if (delivery !== undefined) statuses[index] = "settled";
    return statuses;
  }

  /** Sends the copies of those that do not simply end, and takes out of `held` what could not be sent. */
  async #move(settlements: readonly Settlement[], held: (Delivery | undefined)[]): Promise<unknown> {
    const mails: Mail[] = [];
    const letters: Letter[] = [];
    const [mailed, buried]: [number[], number[]] = [[], []];
    const now = this.#shared.clock.now();
    for (const [index, settlement] of settlements.entries()) {
      const delivery = held[index];
      if (delivery === undefined || settlement.kind === "complete") continue;
      if (settlement.kind === "dead") buried.push(index) && letters.push(deadLetter(delivery, settlement, now));
      else mailed.push(index) && mails.push(mailAgain(delivery, settlement, now));
    }
    if (mails.length + letters.length === 0) return undefined;
    const { mailer } = this.#shared;
    const sent = await Promise.all([attempt(mailer.send(mails), mails), attempt(mailer.bury(letters), letters)]);
    let failure: unknown;
    for (const [at, index] of [...mailed, ...buried].entries()) {
      const error = sent.flat()[at];
      if (error === undefined) continue;
      failure ??= error;
      const delivery = held[index];
      if (delivery !== undefined) delivery.busy = false;
      held[index] = undefined;
    }
    return failure;
  }

  async extend(leases: readonly Lease[]): Promise<LeaseStatus[]> {
    return leases.map((lease) => (this.#current?.find(lease) === undefined ? "lost" : "held"));
  }

  // Life

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#waits.wake();
    this.#lingering?.();
    await this.#pause();
    await this.#current?.close();
    this.#onClose(this);
  }

  ended(error: unknown): void {
    this.#session = undefined;
    this.#current = undefined;
    this.#failure = toTaskwrightError(error, this.#location, "none");
    // It may be about a queue that has been deleted.
    this.#shared.topology.forget();
    this.#waits.wake();
  }

  get #location(): string {
    return this.#shared.link.options.location;
  }

  async #open(): Promise<Session> {
    if (this.#current?.isOpen) return this.#current;
    this.#session ??= this.#openSession();
    return this.#session;
  }

  async #openSession(): Promise<Session> {
    try {
      const session = await Session.open(await this.#shared.link.up(), this, this.#shared.logger);
      this.#current = session;
      // Closed meanwhile: what began by then ends by itself.
      if (this.#closed) await session.close();
      return session;
    } catch (error) {
      this.#session = undefined;
      throw error;
    }
  }
}

/** Takes a delivery for a settlement, so that no other one gets it; nothing where the lease is lost. */
function hold(session: Session, { lease }: Settlement): Delivery | undefined {
  const delivery = session.find(lease);
  if (delivery === undefined || delivery.busy) return undefined;
  delivery.busy = true;
  return delivery;
}

/** One answer for each message, also where none could be sent. */
function attempt(sending: Promise<unknown[]>, messages: readonly unknown[]): Promise<unknown[]> {
  return sending.catch((error: unknown) => messages.map(() => error));
}
