import { randomUUID } from "node:crypto";
import { DEAD_REASONS, type DeadReason } from "../../../contracts/broker.js";
import type { JobRecord } from "../../../contracts/inspector.js";
import type { QueueInspector, QueueLength } from "../../../contracts/queue-inspector.js";
import { freshHeaders } from "../../common/celery.js";
import type { Server } from "../server.js";
import { boundNames, deadKeyOf, keyOf, PRIORITY_STEPS, readDead, writeRaw } from "./kombu.js";
import { resultKeyOf } from "./results.js";
import { discardDead, purgeLists, requeueDead } from "./scripts/dead.js";

/** The most dead letters that are looked through at once. */
const MOST = 10_000;
const BINDING = "_kombu.binding.";
/** Exchanges whose queues hold no tasks. */
const NO_TASKS = /^(reply\.)?celery\.pidbox$|^celeryev$/;

/** A dead letter, and its element of the list as it is there. */
interface Letter {
  readonly raw: Buffer;
  readonly dead: ReturnType<typeof readDead>;
}

/** Looks into kombu's lists, and acts on the dead letters that workers of this house leave in `<queue>.dead`. */
export class KombuQueueInspector implements QueueInspector {
  readonly #server: Server;

  constructor(server: Server) {
    this.#server = server;
  }

  /** Those that somebody has bound, which kombu does for each queue that it sends to or works on. */
  async names(): Promise<string[]> {
    const names = new Set<string>();
    for (const key of await this.#scan(`${BINDING}*`)) {
      if (NO_TASKS.test(key.slice(BINDING.length))) continue;
      const members = await this.#server.command("SMEMBERS", key);
      for (const name of boundNames(Array.isArray(members) ? members.map(String) : [])) names.add(name);
    }
    return [...names];
  }

  async count(queues: readonly string[]): Promise<(QueueLength | undefined)[]> {
    return Promise.all(
      queues.map(async (queue) => {
        const lengths = await Promise.all(listsOf(queue).map((list) => this.#length(list)));
        const waiting = lengths.reduce((sum, length) => sum + length, 0);
        const dead = await this.#length(deadKeyOf(queue));
        return waiting + dead === 0 ? undefined : { waiting, dead };
      }),
    );
  }

  async dead(queue: string, skip: number, limit: number): Promise<JobRecord[]> {
    return (await this.#letters(queue, skip, limit)).map(({ dead }) => toRecord(dead, queue));
  }

  async retry(queue: string, ids: readonly string[]): Promise<string[]> {
    const found = await this.#find(queue, ids);
    const moves = found.map(({ raw, dead }) => {
      const { message } = dead;
      const fresh = { ...message, queue, headers: freshHeaders(message.headers) };
      return [raw, keyOf(queue, message.priority), writeRaw(fresh, randomUUID()), resultKeyOf(message.id)];
    });
    return idsOf(found, await this.#server.letters(requeueDead, [deadKeyOf(queue), ...moves]));
  }

  async discard(queue: string, ids: readonly string[]): Promise<string[]> {
    const found = await this.#find(queue, ids);
    const raws = found.map(({ raw }) => raw);
    return idsOf(found, await this.#server.letters(discardDead, [deadKeyOf(queue), ...raws]));
  }

  async purge(queue: string, state: "waiting" | "dead"): Promise<number> {
    return Number(await this.#server.run(purgeLists, state === "dead" ? [deadKeyOf(queue)] : listsOf(queue)));
  }

  async #find(queue: string, ids: readonly string[]): Promise<Letter[]> {
    const letters = await this.#letters(queue, 0, MOST);
    return letters.filter(({ dead }) => ids.includes(dead.message.id));
  }

  /** The oldest stand at the end of their list. */
  async #letters(queue: string, skip: number, limit: number): Promise<Letter[]> {
    const [from, to] = [-(skip + limit), -(skip + 1)].map(String);
    const raws = await this.#server.command("LRANGE", deadKeyOf(queue), from ?? "", to ?? "");
    const found = (Array.isArray(raws) ? raws : []).filter((raw): raw is Buffer => Buffer.isBuffer(raw));
    return found.reverse().map((raw) => ({ raw, dead: readDead(raw) }));
  }

  async #length(list: string): Promise<number> {
    return Number(await this.#server.command("LLEN", list));
  }

  async #scan(pattern: string): Promise<string[]> {
    const keys = new Set<string>();
    let cursor = "0";
    do {
      const answer = await this.#server.command("SCAN", cursor, "MATCH", pattern, "COUNT", "1000");
      const [next, found] = Array.isArray(answer) ? (answer as unknown[]) : [];
      for (const key of Array.isArray(found) ? found : []) keys.add(String(key));
      cursor = String(next ?? "0");
    } while (cursor !== "0");
    return [...keys];
  }
}

function listsOf(queue: string): string[] {
  return PRIORITY_STEPS.map((step) => keyOf(queue, step));
}

/** Of those that were there, "1" each. */
function idsOf(letters: readonly Letter[], answers: string): string[] {
  return letters.flatMap(({ dead }, at) => (answers[at] === "1" ? [dead.message.id] : []));
}

function toRecord({ message, reason, diedAt, retries }: Letter["dead"], queue: string): JobRecord {
  const { losses, ...envelope } = message;
  return {
    ...envelope,
    queue,
    state: "dead",
    attempt: retries + losses + 1,
    losses,
    dueAt: diedAt,
    reason: DEAD_REASONS.find((one) => one === reason) ?? ("failed" satisfies DeadReason),
  };
}
