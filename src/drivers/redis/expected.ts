import type { ClaimedJob } from "../../contracts/broker.js";
import { readHanded } from "./claimed.js";

/**
 * What may be on its way to a consumer. A claim that found nothing waits at the server, under its token; a producer then
 * hands a job over to it, through a message that may be lost. And a claim whose answer never came may have leased jobs. What
 * is not heard of is asked for by its token, so that no job waits for its lease to pass.
 */
export class Expected {
  /** Claims that wait at the server, or may: their tokens and queues. At most one is handed anything. */
  readonly #waiting = new Map<string, readonly string[]>();
  /** Tokens of claims of which only the server knows what they leased. */
  readonly #unanswered = new Set<string>();
  #handed: ClaimedJob[] = [];

  /** Whether a claim may be waiting at the server. */
  get waits(): boolean {
    return this.#waiting.size > 0;
  }

  /** The token to ask about next. */
  get unanswered(): string | undefined {
    return this.#unanswered.values().next().value;
  }

  /** A claim is about to be sent that will wait if it finds nothing. */
  wait(token: string, queues: readonly string[]): void {
    this.#waiting.set(token, queues);
  }

  /** The claim has found jobs, or did not want to wait: nothing waits at the server. */
  waitNoMore(): void {
    this.#waiting.clear();
  }

  /** The claim found nothing and waits, unless it was handed a job by now. Those before it do not. */
  waitOnly(token: string): void {
    for (const one of this.#waiting.keys()) if (one !== token) this.#waiting.delete(one);
  }

  /**
   * One waited, and the server knows of it no longer: unless the message has come, the server has to be asked.
   *
   * @param not - The token of the claim that was told so, which waits for nothing.
   */
  handedOver(not?: string): void {
    for (const token of this.#waiting.keys()) if (token !== not) this.#unanswered.add(token);
    this.#waiting.clear();
  }

  /** The answer to a claim never came. */
  lose(token: string): void {
    this.#unanswered.add(token);
  }

  /** The server has said what the claim leased. */
  answered(token: string): void {
    this.#unanswered.delete(token);
  }

  /** A job has come by a message. What the server is being asked about comes with its answer instead, and not twice. */
  receive(message: Buffer): void {
    const handed = readHanded(message, this.#waiting);
    if (handed === undefined || this.#unanswered.has(handed.token)) return;
    this.#waiting.clear();
    this.#handed.push(...handed.jobs);
  }

  /** The jobs that have come by messages. */
  take(): ClaimedJob[] {
    const handed = this.#handed;
    this.#handed = [];
    return handed;
  }
}
