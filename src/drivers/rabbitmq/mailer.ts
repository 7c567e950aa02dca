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
  /** Ends when all that was to be sent before is on its way. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(topology: Topology, publisher: Publisher) {
    this.#topology = topology;
    this.#publisher = publisher;
  }

  /** As `Publisher.send`. Calls keep their order, and do not wait for each other's confirmations. */
  async send(mails: readonly Mail[], onTaken?: (index: number) => void): Promise<(BrokerError | undefined)[]> {
    const before = this.#turn;
    const sending = Promise.all([this.#route(mails), before]).then(([routed]) => ({
      // In an object, so that whose turn is next need not wait for it.
      confirmed: this.#publisher.send(routed, onTaken),
    }));
    this.#turn = Promise.allSettled([before, sending]);
    return (await sending).confirmed;
  }

  async #route(mails: readonly Mail[]): Promise<Routed[]> {
    const routed: Routed[] = [];
    for (const { letter, delay } of mails) {
      if (delay <= 0 && !this.#topology.knows(letter.queue)) await this.#topology.queue(letter.queue);
      routed.push(delay > 0 ? await this.#delayed(letter, waitOf(delay)) : { exchange: "", key: letter.queue, letter });
    }
    return routed;
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
