import type { Connection, DriverEnvironment, Ping } from "../../contracts/driver.js";
import { RabbitmqBroker } from "./broker.js";
import { AmqpExchanges, Sender } from "./exchanges.js";
import { Link, type LinkOptions } from "./link.js";
import { Mailer } from "./mailer.js";
import type { Settings } from "./options.js";
import { Publisher } from "./publisher.js";
import { RabbitmqQueueInspector } from "./queue-inspector.js";
import { RpcReplies } from "./replies.js";
import { Topology } from "./topology.js";

/** Connects, and gives the contracts. */
export async function connect(settings: Settings, environment: DriverEnvironment): Promise<Connection> {
  const { clock, random, logger } = environment;
  const { address, location, timeout } = settings;
  const options: LinkOptions = { address, location, timeout, clock, random, logger };
  const publishing = new Link(options, "publisher");
  const consuming = new Link(options, "consumer");
  try {
    await publishing.up();
  } catch (error) {
    await publishing.close();
    throw error;
  }
  const topology = new Topology(publishing, settings);
  const mailer = new Mailer(topology, new Publisher(publishing, topology));
  const broker = new RabbitmqBroker({ link: consuming, topology, mailer, clock, logger }, settings, random);
  /** What has to be closed while there are connections. */
  const closing: (() => Promise<void>)[] = [];
  return {
    broker,
    ...(settings.protocol === "celery" && celeryContracts(publishing, consuming, closing)),
    queueInspector: new RabbitmqQueueInspector(publishing, mailer),
    ping: () => ping(publishing),
    close: async () => {
      if (publishing.closed) return;
      await broker.close();
      for (const close of closing) await close();
      await consuming.close();
      await publishing.close();
    },
  };
}

/** What Celery has beside jobs. */
function celeryContracts(
  publishing: Link,
  consuming: Link,
  closing: (() => Promise<void>)[],
): Pick<Connection, "exchanges" | "openReplies"> {
  const sender = new Sender(publishing);
  return {
    exchanges: new AmqpExchanges(publishing, sender),
    openReplies: async () => {
      const replies = new RpcReplies(consuming, sender);
      await replies.open();
      closing.push(() => replies.close());
      return { backend: replies, notifier: replies };
    },
  };
}

/** AMQP tells no time, so the time is ours. */
async function ping(link: Link): Promise<Ping> {
  const connection = await link.up();
  const channel = await connection.createChannel();
  await channel.close();
  const { product = "an AMQP server", version = "" } = connection.connection.serverProperties;
  return { server: `${String(product)} ${String(version)}`.trim(), time: link.options.clock.now(), warnings: [] };
}
