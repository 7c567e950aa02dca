import type { Job, Peer, Session } from "../contestant.js";
import { load } from "./load.js";

interface Message {
  readonly content: Buffer;
}

interface Channel {
  assertQueue(queue: string, options: object): Promise<{ readonly messageCount: number }>;
  checkQueue(queue: string): Promise<{ readonly messageCount: number }>;
  prefetch(count: number): Promise<unknown>;
  consume(queue: string, onMessage: (message: Message | null) => void): Promise<unknown>;
  ack(message: Message): void;
}

interface ConfirmChannel extends Channel {
  sendToQueue(queue: string, content: Buffer, options: object, confirmed: (error: Error | null) => void): boolean;
}

interface Connection {
  createChannel(): Promise<Channel>;
  createConfirmChannel(): Promise<ConfirmChannel>;
  close(): Promise<void>;
}

interface Amqplib {
  connect(url: string, options: object): Promise<Connection>;
}

const QUEUE = "bench";

/** amqplib by hand: no retries, no ids, no lost worker noticed, nothing but messages that are confirmed and acknowledged. */
export const amqplib: Peer = {
  ...raw({}),
  name: "amqplib",
  settings:
    "raw: durable queue, persistent messages, publisher confirms, prefetch 100, one ack for each, noDelay, JSON",
};

/** The same on a queue as ours declares it: what RabbitMQ's priorities cost is not ours. */
export const amqplibPriorities: Peer = {
  ...raw({ "x-max-priority": 9 }),
  name: "amqplib-priorities",
  settings: "the same as amqplib, on a queue declared with the same arguments as ours: priorities 0 to 9",
};

/** @param queueArguments - With which the queue is declared. */
function raw(queueArguments: object): Omit<Peer, "name" | "settings"> {
  return {
    drivers: ["rabbitmq"],
    packages: ["amqplib"],
    keepsResults: false,
    open: ({ place }) => open(place, queueArguments),
  };
}

async function open(place: string, queueArguments: object): Promise<Session> {
  const { connect } = await load<Amqplib>("amqplib");
  const connection = await connect(place, { noDelay: true });
  const producing = await connection.createConfirmChannel();
  await producing.assertQueue(QUEUE, { durable: true, arguments: queueArguments });
  let unacknowledged = 0;
  const send = (job: Job) =>
    new Promise<void>((resolve, reject) => {
      const confirmed = (error: Error | null) => (error === null ? resolve() : reject(error));
      producing.sendToQueue(QUEUE, Buffer.from(JSON.stringify(job)), { persistent: true }, confirmed);
    });
  return {
    enqueue: (...job) => send(job),
    enqueueMany: (jobs) => Promise.all(jobs.map(send)),
    startWorker: async (handler) => {
      const consuming = await connection.createChannel();
      await consuming.prefetch(100);
      await consuming.consume(QUEUE, (message) => {
        if (message === null) return;
        unacknowledged += 1;
        const [a, b] = JSON.parse(message.content.toString()) as Job;
        handler(a, b);
        consuming.ack(message);
        unacknowledged -= 1;
      });
    },
    remaining: async () => (await producing.checkQueue(QUEUE)).messageCount + unacknowledged,
    close: () => connection.close(),
  };
}
