import type { Exchange, ExchangeMessage, Exchanges } from "../../contracts/exchanges.js";
import type { Logger } from "../../contracts/logger.js";
import type { Unsubscribe } from "../../contracts/notifier.js";
import type { Channel, ConfirmChannel, Connection, Message } from "./client.js";
import { toTaskwrightError } from "./errors.js";
import type { Link } from "./link.js";
import { headersOf, partsOf } from "./parts.js";

/** Lost with the server, as Celery declares it; its topic of events is kept. */
const DURABLE: Readonly<Record<Exchange["type"], boolean>> = { fanout: false, topic: true };

/** Exchanges of foreign protocols. What goes through them is a hint or an answer: it is confirmed, but kept by nobody. */
export class AmqpExchanges implements Exchanges {
  readonly #link: Link;
  readonly #logger: Logger;
  #connection: Connection | undefined;
  #channel: Promise<ConfirmChannel> | undefined;

  constructor(link: Link, logger: Logger) {
    this.#link = link;
    this.#logger = logger;
  }

  async announce({ name, type }: Exchange, routingKey: string, message: ExchangeMessage): Promise<void> {
    const channel = await this.#open();
    await channel.assertExchange(name, type, { durable: DURABLE[type] });
    await publish(channel, name, routingKey, message);
  }

  async deliver(exchange: string, routingKey: string, message: ExchangeMessage): Promise<void> {
    const channel = await this.#open();
    await channel.assertExchange(exchange, "direct", { durable: false });
    await publish(channel, exchange, routingKey, message);
  }

  async listen({ name, type }: Exchange, listener: (message: ExchangeMessage) => void): Promise<Unsubscribe> {
    let stopped = false;
    let current: Channel | undefined;
    const listen = async (): Promise<void> => {
      if (stopped || this.#link.closed) return;
      const channel = await (await this.#link.up()).createChannel();
      current = channel;
      channel.on("error", () => {});
      // With its connection: on the next one it listens again.
      channel.on("close", () => void again());
      await channel.assertExchange(name, type, { durable: DURABLE[type] });
      const { queue } = await channel.assertQueue("", { durable: false, exclusive: true, autoDelete: true });
      await channel.bindQueue(queue, name, "#");
      await channel.consume(queue, (delivered) => {
        if (delivered === null) return;
        channel.ack(delivered);
        listener(toMessage(delivered));
      });
    };
    const again = (): Promise<void> =>
      listen().catch((err: unknown) => this.#logger.warn({ err }, "remote control could not be listened to again"));
    await listen().catch((error: unknown) => {
      throw toTaskwrightError(error, this.#link.options.location, "none");
    });
    return () => {
      stopped = true;
      void current?.close().catch(() => {});
    };
  }

  async #open(): Promise<ConfirmChannel> {
    const connection = await this.#link.takesMessages();
    if (connection !== this.#connection) {
      this.#connection = connection;
      this.#channel = undefined;
    }
    this.#channel ??= connection.createConfirmChannel().then((channel) => {
      channel.on("error", () => {});
      channel.on("close", () => {
        this.#channel = undefined;
      });
      return channel;
    });
    return this.#channel;
  }
}

function publish(channel: ConfirmChannel, exchange: string, key: string, message: ExchangeMessage): Promise<void> {
  const { headers, properties } = partsOf(message);
  const content = Buffer.from(message.body);
  return new Promise((resolve, reject) => {
    channel.publish(exchange, key, content, { ...properties, headers, deliveryMode: 1 }, (error) =>
      error === null ? resolve() : reject(error),
    );
  });
}

function toMessage({ content, properties }: Message): ExchangeMessage {
  const headers = headersOf(properties.headers ?? {}, properties);
  return { body: content, ...(headers && { headers }) };
}
