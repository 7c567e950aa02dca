import type { Channel, Message } from "./client.js";
import type { Delivery } from "./unsettled.js";

/** One queue that is delivered from, at most `window` jobs at a time. */
export class Subscription {
  readonly queue: string;
  readonly window: number;
  /** Delivered and not claimed, in order. */
  readonly buffer: Delivery[] = [];
  /** Delivered and not acknowledged. */
  outstanding = 0;
  #tag: string | undefined;

  constructor(queue: string, window: number) {
    this.queue = queue;
    this.window = window;
  }

  /** Whether nothing more is delivered before something is acknowledged. */
  get full(): boolean {
    return this.outstanding >= this.window;
  }

  /** `onMessage` hears `null` when RabbitMQ ends it, which it does when the queue is deleted. */
  async open(channel: Channel, onMessage: (message: Message | null) => void): Promise<void> {
    await channel.prefetch(this.window);
    const { consumerTag } = await channel.consume(this.queue, onMessage);
    this.#tag = consumerTag;
  }

  /** When it resolves, nothing more is delivered. */
  async close(channel: Channel): Promise<void> {
    const tag = this.#tag;
    this.#tag = undefined;
    if (tag !== undefined) await channel.cancel(tag);
  }
}
