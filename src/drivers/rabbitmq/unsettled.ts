import type { Channel, Message } from "./client.js";
import type { Delivered } from "./message.js";
import type { Subscription } from "./subscription.js";

/** A message that was delivered and not acknowledged yet. */
export interface Delivery {
  readonly tag: number;
  readonly message: Message;
  readonly delivered: Delivered;
  readonly subscription: Subscription;
  /** Somebody is about to settle it or to send it elsewhere: nobody else may. */
  busy: boolean;
}

/** What a channel has delivered and nobody has acknowledged, by tag. */
export class Unsettled {
  readonly #channel: Channel;
  /** Tags grow, so the first is the oldest. */
  readonly #deliveries = new Map<number, Delivery>();

  constructor(channel: Channel) {
    this.#channel = channel;
  }

  add(delivery: Delivery): void {
    delivery.subscription.outstanding += 1;
    this.#deliveries.set(delivery.tag, delivery);
  }

  get(tag: number): Delivery | undefined {
    return this.#deliveries.get(tag);
  }

  /**
   * Acknowledges deliveries: those that nothing older is left of with one frame, the others with one each. Where jobs end in
   * about the order in which they began, nearly all are among the first.
   */
  acknowledge(deliveries: readonly Delivery[]): void {
    for (const { tag, subscription } of deliveries) {
      if (this.#deliveries.delete(tag)) subscription.outstanding -= 1;
    }
    const oldest = this.#oldest();
    let upTo = 0;
    for (const { tag } of deliveries) {
      if (tag < oldest) upTo = Math.max(upTo, tag);
      else this.#ack(tag, false);
    }
    if (upTo > 0) this.#ack(upTo, true);
  }

  #oldest(): number {
    for (const tag of this.#deliveries.keys()) return tag;
    return Number.POSITIVE_INFINITY;
  }

  #ack(deliveryTag: number, allUpTo: boolean): void {
    this.#channel.ack({ fields: { deliveryTag, redelivered: false, exchange: "", routingKey: "" } }, allUpTo);
  }
}
