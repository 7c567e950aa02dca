import { randomUUID } from "node:crypto";
import type { Exchange, ExchangeMessage, Exchanges } from "../../../contracts/exchanges.js";
import type { Unsubscribe } from "../../../contracts/notifier.js";
import type { Server } from "../server.js";
import type { Subscriptions } from "../subscriptions.js";
import { boundQueues, readRaw, writeRaw } from "./kombu.js";

/** Exchanges as kombu has them on Redis: fanout and topic by publish and subscribe, direct ones by a set of bindings. */
export class KombuExchanges implements Exchanges {
  readonly #server: Server;
  readonly #subscriptions: Subscriptions;
  /** Begins every channel: channels know no databases. */
  readonly #prefix: string;

  constructor(server: Server, subscriptions: Subscriptions, db: number) {
    this.#server = server;
    this.#subscriptions = subscriptions;
    this.#prefix = `/${db}.`;
  }

  async announce(exchange: Exchange, routingKey: string, message: ExchangeMessage): Promise<void> {
    const channel = `${this.#prefix}${exchange.name}${routingKey === "" ? "" : `/${routingKey}`}`;
    await this.#server.command("PUBLISH", channel, rawOf(message, exchange.name, routingKey));
  }

  async deliver(exchange: string, routingKey: string, message: ExchangeMessage): Promise<void> {
    const members = await this.#server.command("SMEMBERS", `_kombu.binding.${exchange}`);
    const queues = boundQueues(Array.isArray(members) ? members.map(String) : [], routingKey);
    const raw = rawOf(message, exchange, routingKey);
    for (const queue of queues) await this.#server.command("LPUSH", queue, raw);
  }

  listen(exchange: Exchange, listener: (message: ExchangeMessage) => void): Promise<Unsubscribe> {
    return this.#subscriptions.subscribeTo(`${this.#prefix}${exchange.name}`, (message) => {
      if (message !== undefined) listener(readRaw(message, 0, ""));
    });
  }
}

function rawOf({ headers, body }: ExchangeMessage, exchange: string, routingKey: string): string {
  const envelope = { id: "", queue: routingKey, priority: 0, body, ...(headers && { headers }) };
  return writeRaw(envelope, randomUUID(), { exchange });
}
