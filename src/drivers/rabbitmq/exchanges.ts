import type { Exchange, ExchangeMessage, Exchanges } from "../../contracts/exchanges.js";
import type { Unsubscribe } from "../../contracts/notifier.js";
import type { ConfirmChannel, Connection, Message } from "./client.js";
import type { Link } from "./link.js";
import { headersOf, partsOf } from "./parts.js";
import { standing } from "./standing.js";

/** Lost with the server, as Celery declares it; its topic of events is kept. */
const DURABLE: Readonly<Record<Exchange["type"], boolean>> = { fanout: false, topic: true };

/** Sends what is no job, confirmed, on a channel of its own. */
export class Sender {
  readonly #link: Link;
  #connection: Connection | undefined;
  #channel: Promise<ConfirmChannel> | undefined;

  constructor(link: Link) {
    this.#link = link;
  }

  /** @param declare - Makes the exchange exist. */
  async send(
    exchange: string,
    key: string,
    message: ExchangeMessage,
    persistent = false,
    declare?: (channel: ConfirmChannel) => Promise<unknown>,
  ): Promise<void> {
    const channel = await this.#open();
    await declare?.(channel);
    const { headers, properties } = partsOf(message);
    const options = { ...properties, headers, deliveryMode: persistent ? 2 : 1 };
    return new Promise((resolve, reject) => {
      channel.publish(exchange, key, Buffer.from(message.body), options, (error) =>
        error === null ? resolve() : reject(error),
      );
    });
  }

  /** Deletes a queue and what is in it. Nothing where there is no connection. */
  async deleteQueue(queue: string): Promise<void> {
    if (this.#link.isUp) await (await this.#open()).deleteQueue(queue);
  }

  async #open(): Promise<ConfirmChannel> {
    const connection = await this.#link.takesMessages();
    if (connection !== this.#connection) {
      this.#connection = connection;
      this.#channel = undefined;
    }
    this.#channel ??= this.#openOn(connection);
    return this.#channel;
  }

  #openOn(connection: Connection): Promise<ConfirmChannel> {
    const opening = connection.createConfirmChannel().then((channel) => {
      // Whoever sends hears of it.
      channel.on("error", () => {});
      channel.on("close", forget);
      return channel;
    });
    const forget = (): void => {
      if (this.#channel === opening) this.#channel = undefined;
    };
    opening.catch(forget);
    return opening;
  }
}

/** Exchanges of foreign protocols. What goes through them is a hint or an answer: it is confirmed, but kept by nobody. */
export class AmqpExchanges implements Exchanges {
  readonly #link: Link;
  readonly #sender: Sender;

  constructor(link: Link, sender: Sender) {
    this.#link = link;
    this.#sender = sender;
  }

  announce({ name, type }: Exchange, routingKey: string, message: ExchangeMessage): Promise<void> {
    return this.#sender.send(name, routingKey, message, false, (channel) =>
      channel.assertExchange(name, type, { durable: DURABLE[type] }),
    );
  }

  deliver(exchange: string, routingKey: string, message: ExchangeMessage): Promise<void> {
    return this.#sender.send(exchange, routingKey, message, false, (channel) =>
      channel.assertExchange(exchange, "direct", { durable: false }),
    );
  }

  listen({ name, type }: Exchange, listener: (message: ExchangeMessage) => void): Promise<Unsubscribe> {
    return standing(this.#link, async (channel) => {
      await channel.assertExchange(name, type, { durable: DURABLE[type] });
      const { queue } = await channel.assertQueue("", { durable: false, exclusive: true, autoDelete: true });
      await channel.bindQueue(queue, name, "#");
      await channel.consume(queue, (delivered) => {
        if (delivered === null) return;
        channel.ack(delivered);
        listener(toMessage(delivered));
      });
    });
  }
}

function toMessage({ content, properties }: Message): ExchangeMessage {
  const headers = headersOf(properties.headers ?? {}, properties);
  return { body: content, ...(headers && { headers }) };
}
