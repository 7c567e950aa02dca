import { setTimeout as sleep } from "node:timers/promises";
import { DEAD_REASONS, type DeadReason } from "../../contracts/broker.js";
import type { JobRecord } from "../../contracts/inspector.js";
import type { QueueInspector, QueueLength } from "../../contracts/queue-inspector.js";
import { freshHeaders } from "../common/celery.js";
import type { Channel, Message } from "./client.js";
import { closeQuietly } from "./closing.js";
import { toTaskwrightError } from "./errors.js";
import type { Link } from "./link.js";
import type { Mailer } from "./mailer.js";
import { again, type Delivered, readMessage } from "./message.js";
import { deadQueueOf } from "./topology.js";

/** The most dead letters that are looked through at once. */
const MOST = 10_000;

/** For how long, in ms, one who has looked waits for the queue to have its letters again. */
const TAKING_BACK = 1000;
/** How often, in ms, the queue is asked. */
const ASK_AGAIN = 10;

/** A dead letter in hand: it goes back as it was, unless it is taken out. */
type Letter = Message;

/** Looks into queues by taking all that is in them and giving it back, in its order. While one looks, another sees nothing there. */
export class RabbitmqQueueInspector implements QueueInspector {
  readonly #link: Link;
  readonly #mailer: Mailer;

  constructor(link: Link, mailer: Mailer) {
    this.#link = link;
    this.#mailer = mailer;
  }

  async count(queues: readonly string[]): Promise<(QueueLength | undefined)[]> {
    const lengths: (QueueLength | undefined)[] = [];
    for (const queue of queues) {
      const waiting = await this.#length(queue);
      const dead = await this.#length(deadQueueOf(queue));
      const exists = waiting !== undefined || dead !== undefined;
      lengths.push(exists ? { waiting: waiting ?? 0, dead: dead ?? 0 } : undefined);
    }
    return lengths;
  }

  async dead(queue: string, skip: number, limit: number): Promise<JobRecord[]> {
    return this.#look(queue, skip + limit, async (letters) => letters.slice(skip).map((one) => toRecord(one, queue)));
  }

  retry(queue: string, ids: readonly string[]): Promise<string[]> {
    return this.#look(queue, MOST, async (letters, takeOut) => {
      const found = letters.filter((one) => ids.includes(readMessage(one).id));
      const mails = found.map((one) => {
        const delivered = fresh(one);
        const { expiresAt } = delivered.state;
        return { letter: again(queue, one.properties, delivered, { attempts: 0, losses: 0, expiresAt }), delay: 0 };
      });
      const failures = await this.#mailer.send(mails);
      return found.flatMap((one, index) => {
        const failure = failures[index];
        if (failure !== undefined) throw failure;
        takeOut(one);
        return [readMessage(one).id];
      });
    });
  }

  discard(queue: string, ids: readonly string[]): Promise<string[]> {
    return this.#look(queue, MOST, async (letters, takeOut) => {
      const found = letters.filter((one) => ids.includes(readMessage(one).id));
      for (const one of found) takeOut(one);
      return found.map((one) => readMessage(one).id);
    });
  }

  async purge(queue: string, state: "waiting" | "dead"): Promise<number> {
    const name = state === "dead" ? deadQueueOf(queue) : queue;
    if ((await this.#length(name)) === undefined) return 0;
    return this.#onChannel(async (channel) => (await channel.purgeQueue(name)).messageCount);
  }

  /** Takes up to `max` dead letters, lets `act` have them, and gives back those that it has not taken out. */
  async #look<T>(
    queue: string,
    max: number,
    act: (letters: Letter[], takeOut: (letter: Letter) => void) => Promise<T[]>,
  ): Promise<T[]> {
    const name = deadQueueOf(queue);
    const length = await this.#length(name);
    if (length === undefined || length === 0) return [];
    return this.#onChannel(async (channel) => {
      const letters = await takeAll(channel, name, Math.min(max, length));
      let left = letters.length;
      try {
        return await act(letters, (letter) => {
          channel.ack(letter);
          left--;
        });
      } finally {
        await giveBack(channel, name, left);
      }
    });
  }

  /** How many messages wait in a queue; nothing where there is no such queue, of which RabbitMQ closes the channel. */
  async #length(queue: string): Promise<number | undefined> {
    try {
      return await this.#onChannel(async (channel) => (await channel.checkQueue(queue)).messageCount);
    } catch (error) {
      if (error instanceof Error && /\b404\b/.test(error.message)) return undefined;
      throw error;
    }
  }

  async #onChannel<T>(act: (channel: Channel) => Promise<T>): Promise<T> {
    try {
      const channel = await (await this.#link.up()).createChannel();
      // The call that it is the answer to fails with it.
      channel.on("error", () => {});
      try {
        return await act(channel);
      } finally {
        await closeQuietly(channel, "a channel of rabbitmq", this.#link.options.logger);
      }
    } catch (error) {
      throw toTaskwrightError(error, this.#link.options.location, "unknown");
    }
  }
}

async function takeAll(channel: Channel, queue: string, max: number): Promise<Letter[]> {
  const letters: Letter[] = [];
  while (letters.length < max) {
    const letter = await channel.get(queue);
    if (letter === false) break;
    letters.push(letter);
  }
  return letters;
}

/**
 * Resolves when the queue has them again: quorum queues have them some milliseconds after they are told, and who looked
 * again meanwhile would find none.
 */
async function giveBack(channel: Channel, queue: string, count: number): Promise<void> {
  if (count === 0) return;
  channel.nackAll(true);
  for (const until = Date.now() + TAKING_BACK; Date.now() < until; await sleep(ASK_AGAIN)) {
    if ((await channel.checkQueue(queue)).messageCount >= count) return;
  }
}

/** As it was before its first run. */
function fresh(letter: Letter): Delivered {
  const delivered = readMessage(letter);
  return delivered.headers === undefined ? delivered : { ...delivered, headers: freshHeaders(delivered.headers) };
}

function toRecord(letter: Letter, queue: string): JobRecord {
  const { id, priority, body, headers, state } = readMessage(letter);
  return {
    id,
    queue,
    priority,
    body,
    state: "dead",
    attempt: state.attempts,
    losses: state.losses,
    dueAt: state.diedAt ?? 0,
    reason: reasonOf(state.reason),
    ...(headers !== undefined && { headers }),
    ...(state.history !== undefined && { history: state.history }),
  };
}

/** Those without a reason of ours were put there by RabbitMQ, because nobody could keep hold of them. */
function reasonOf(reason: string | undefined): DeadReason {
  return DEAD_REASONS.find((known) => known === reason) ?? "lease-lost";
}
