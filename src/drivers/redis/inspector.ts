import type {
  Inspector,
  JobPage,
  JobRecord,
  ListFilter,
  QueuedState,
  QueueSummary,
} from "../../contracts/inspector.js";
import { ConfigError } from "../../job/errors.js";
import { decodeId, encodeId } from "../../job/id-bytes.js";
import { batches } from "./batches.js";
import { decodeHistory } from "./history.js";
import { decodeJob } from "./record.js";
import { countJobs, discardJobs, findJobs, listJobs, purgeJobs, retryDead, setPaused } from "./scripts/inspection.js";
import type { Server } from "./server.js";
import type { Unpacked } from "./wire.js";

const STATES: readonly QueuedState[] = ["scheduled", "waiting", "active", "retrying", "dead"];

/** Where a page ended: in which queue and state, and at which score and id. */
type Position = readonly [queue: string, state: number, score: number, id: string];

export class RedisInspector implements Inspector {
  readonly #server: Server;

  constructor(server: Server) {
    this.#server = server;
  }

  async queues(): Promise<QueueSummary[]> {
    const answer = await this.#server.ask(countJobs, []);
    const summaries = list(answer).map((queue) => toSummary(list(queue)));
    return summaries.sort((a, b) => (a.queue < b.queue ? -1 : 1));
  }

  async find(ids: readonly string[]): Promise<(JobRecord | undefined)[]> {
    const records: (JobRecord | undefined)[] = [];
    for (const batch of batches(ids)) {
      const found = list(await this.#server.ask(findJobs, batch.map(encodeId)));
      for (const at of batch.keys()) records.push(toRecord(found[at]));
    }
    return records;
  }

  /** Queue by queue and state by state, since jobs are kept so. */
  async list({ queue, state, limit, cursor }: ListFilter): Promise<JobPage> {
    const queues = queue === undefined ? (await this.queues()).map((one) => one.queue) : [queue];
    const states = state === undefined ? STATES : [state];
    const start = cursor === undefined ? undefined : parseCursor(cursor);
    const jobs: JobRecord[] = [];
    for (const name of queues) {
      if (start !== undefined && name < start[0]) continue;
      for (const one of states) {
        const number = STATES.indexOf(one);
        const resumed = start !== undefined && name === start[0];
        if (resumed && number < start[1]) continue;
        const after = resumed && number === start[1] ? start : undefined;
        const end = await this.#listOne(name, one, limit, after, jobs);
        if (jobs.length >= limit) return { jobs, cursor: toCursor(end) };
      }
    }
    return { jobs };
  }

  async #listOne(
    queue: string,
    state: QueuedState,
    limit: number,
    after: Position | undefined,
    into: JobRecord[],
  ): Promise<Position> {
    const id = after === undefined ? "" : Buffer.from(after[3], "base64url");
    const args = [queue, state, limit - into.length, after?.[2] ?? Number.NEGATIVE_INFINITY, id];
    const [found, score, last] = list(await this.#server.ask(listJobs, args));
    for (const one of list(found)) {
      const record = toRecord(one);
      if (record !== undefined) into.push(record);
    }
    return [queue, STATES.indexOf(state), Number(score), Buffer.isBuffer(last) ? last.toString("base64url") : ""];
  }

  retry(ids: readonly string[]): Promise<string[]> {
    return this.#pick(ids, (batch) => this.#server.letters(retryDead, batch.map(encodeId)));
  }

  discard(ids: readonly string[]): Promise<string[]> {
    return this.#pick(ids, (batch) => this.#server.letters(discardJobs, batch.map(encodeId)));
  }

  /** Those for which a script says "1". */
  async #pick(ids: readonly string[], run: (batch: readonly string[]) => Promise<string>): Promise<string[]> {
    const picked: string[] = [];
    for (const batch of batches(ids)) {
      const letters = await run(batch);
      for (const [at, id] of batch.entries()) if (letters[at] === "1") picked.push(id);
    }
    return picked;
  }

  async purge(queue: string, states: readonly QueuedState[]): Promise<number> {
    let purged = 0;
    for (const state of states) {
      if (state === "active") continue;
      for (;;) {
        const answer = await this.#server.run(purgeJobs, [queue, state]);
        const [deleted, seen] = Array.isArray(answer) ? answer.map(Number) : [];
        purged += deleted ?? 0;
        if (!seen) break;
      }
    }
    return purged;
  }

  async pause(queue: string): Promise<void> {
    await this.#server.run(setPaused, [queue, true]);
  }

  async resume(queue: string): Promise<void> {
    await this.#server.run(setPaused, [queue, false]);
  }
}

function list(value: Unpacked): Unpacked[] {
  return Array.isArray(value) ? value : [];
}

function toSummary([queue, paused, scheduled, waiting, active, retrying, dead, heads]: Unpacked[]): QueueSummary {
  const since = list(heads).map((head) => {
    const [record, history] = list(head);
    return Buffer.isBuffer(record) ? waitingSince(record, history) : Number.POSITIVE_INFINITY;
  });
  const oldest = Math.min(...since);
  return {
    queue: String(queue),
    paused: paused === true,
    counts: {
      scheduled: Number(scheduled),
      waiting: Number(waiting),
      active: Number(active),
      retrying: Number(retrying),
      dead: Number(dead),
    },
    ...(Number.isFinite(oldest) && { oldestWaiting: oldest }),
  };
}

function waitingSince(record: Buffer, history: Unpacked): number {
  return decodeHistory(history).dueAt ?? decodeJob(record).publishedAt;
}

/** Of `{id, state, record, history, due, token}`. */
function toRecord(seen: Unpacked): JobRecord | undefined {
  const [id, stateName, record, packed, due, token] = list(seen);
  const state = STATES.find((one) => one === String(stateName));
  if (!Buffer.isBuffer(id) || !Buffer.isBuffer(record) || state === undefined) return undefined;
  const { queue, priority, publishedAt, body, headers } = decodeJob(record);
  const { attempts, losses, dueAt, history, reason } = decodeHistory(packed);
  return {
    id: decodeId(id),
    queue,
    priority,
    body,
    state,
    attempt: state === "active" ? attempts + 1 : attempts,
    losses,
    dueAt: typeof due === "number" ? due : (dueAt ?? publishedAt),
    ...(headers !== undefined && { headers }),
    ...(Buffer.isBuffer(token) && { worker: workerOf(token.toString()) }),
    ...(reason !== undefined && { reason }),
    ...(history !== undefined && { history }),
  };
}

/** A token is `consumer.claim.worker`. */
function workerOf(token: string): string {
  return token.split(".").slice(2).join(".");
}

function toCursor([queue, state, score, id]: Position): string {
  return Buffer.from(JSON.stringify([queue, state, score, id])).toString("base64url");
}

function parseCursor(cursor: string): Position {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(cursor, "base64url").toString());
    if (Array.isArray(parsed) && parsed.length === 4) {
      const [queue, state, score, id] = parsed as unknown[];
      if (
        typeof queue === "string" &&
        typeof state === "number" &&
        typeof score === "number" &&
        typeof id === "string"
      ) {
        return [queue, state, score, id];
      }
    }
  } catch {
    // Answered below.
  }
  throw new ConfigError(`"${cursor}" is not a cursor of an earlier page`);
}
