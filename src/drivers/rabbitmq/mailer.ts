import type { BrokerError } from "../../job/errors.js";
import { routingKey, type Wait, waitOf } from "./delays.js";
import type { Letter } from "./message.js";
import type { Publisher, Routed } from "./publisher.js";
import { deadQueueOf, type Topology } from "./topology.js";

/** A message, and after how many ms it is to be in its queue. */
export interface Mail {
  readonly letter: Letter;
  /** 0 or less: at once. */
  readonly delay: number;
}

/** Finds the ways of messages, making queues and exchanges that are missing, and sends them. */
export class Mailer {
  readonly #topology: Topology;
  readonly #publisher: Publisher;

  constructor(topology: Topology, publisher: Publisher) {
    this.#topology = topology;
    this.#publisher = publisher;
  }

  /** As `Publisher.send`. */
  async send(mails: readonly Mail[], onTaken?: (index: number) => void): Promise<(BrokerError | undefined)[]> {
    const routed: Routed[] = [];
    for (const { letter, delay } of mails) {
      // Nearly always the queue is known: then nothing is waited for, and calls keep their order.
      if (delay <= 0 && !this.#topology.knows(letter.queue)) await this.#topology.queue(letter.queue);
      routed.push(delay > 0 ? await this.#delayed(letter, waitOf(delay)) : { exchange: "", key: letter.queue, letter });
    }
    return this.#publisher.send(routed, onTaken);
  }

  /** Sends messages to the dead letters of their queues. */
  async bury(letters: readonly Letter[]): Promise<(BrokerError | undefined)[]> {
    for (const { queue } of letters) await this.#topology.deadQueue(queue);
    return this.#publisher.send(letters.map((letter) => ({ exchange: "", key: deadQueueOf(letter.queue), letter })));
  }

  async #delayed(letter: Letter, wait: Wait): Promise<Routed> {
    const exchange = await this.#topology.delay(wait, letter.queue);
    return { exchange, key: routingKey(wait, letter.queue), letter };
  }
}
