import type { Envelope } from "./broker.js";
import type { Unsubscribe } from "./notifier.js";

/** A message through an exchange: what a protocol's remote control and events travel in, beside its jobs. */
export type ExchangeMessage = Pick<Envelope, "headers" | "body">;

/** An exchange by its name, and how it chooses who gets a message: everybody, or those who ask for such a routing key. */
export interface Exchange {
  readonly name: string;
  readonly type: "fanout" | "topic";
}

/** What a foreign protocol needs beside jobs, where the driver moves them. */
export interface Exchanges {
  /** To whoever listens at this moment, and kept for nobody. */
  announce(exchange: Exchange, routingKey: string, message: ExchangeMessage): Promise<void>;
  /** Into the queues that somebody has bound to a direct exchange by this routing key; nowhere where there are none. */
  deliver(exchange: string, routingKey: string, message: ExchangeMessage): Promise<void>;
  /** When it resolves, whatever is announced to a fanout exchange from then on is heard. */
  listen(exchange: Exchange, listener: (message: ExchangeMessage) => void): Promise<Unsubscribe>;
}
