import type { ClaimedJob, Lease } from "../../contracts/broker.js";
import { decodeId, encodeId } from "../../job/id-bytes.js";
import { decodeHistory } from "./history.js";
import { decodeJob, type StoredJob } from "./record.js";
import { Reader } from "./wire.js";

/** The id of a claimed job as Redis keeps it: settling it need not make that again, which took 6% of a worker's time. */
const KEY = Symbol("key");

/** The id of a lease as Redis keeps it. */
export function keyOf(lease: Lease & { readonly [KEY]?: Uint8Array }): Uint8Array {
  return lease[KEY] ?? encodeId(lease.id);
}

/** What was claimed under one token. */
export interface Claimed {
  readonly jobs: ClaimedJob[];
  /** The server's, in epoch ms. */
  readonly time: number;
  /** Epoch ms at which the next job of these queues is due. */
  readonly nextDue: number | undefined;
  /** Nothing was claimed: a job may have been handed over already. */
  readonly handed: boolean;
}

/** In the place of when the next job is due. */
const HANDED = -2;

/**
 * Reads `{time, when the next is due, or -1, or -2 where a job may have been handed over, {index of the queue from 1, ids,
 * records, histories or none}, ...}`. A job whose record is gone is left out: its lease passes, and the sweep forgets it.
 */
export function readClaim(answer: Buffer, queues: readonly string[], token: string): Claimed {
  const reader = new Reader(answer);
  const lines = reader.enter() - 2;
  const time = Number(String(reader.read()));
  const nextDue = Number(String(reader.read()));
  const jobs: ClaimedJob[] = [];
  for (let line = 0; line < lines; line++) {
    reader.enter();
    const queue = queues[Number(reader.read()) - 1] ?? "";
    readLine(answer, reader, { queue, token, time }, jobs);
  }
  return { jobs, time, nextDue: nextDue >= 0 ? nextDue : undefined, handed: nextDue === HANDED };
}

/** A job that was handed over to a claim that waited. */
interface Handed {
  readonly token: string;
  readonly jobs: readonly ClaimedJob[];
}

/**
 * Reads the token of a claim that waited, then the answer to it.
 *
 * @param waiting - The queues of the claims that wait, by their tokens. Nothing is read for others.
 */
export function readHanded(message: Buffer, waiting: ReadonlyMap<string, readonly string[]>): Handed | undefined {
  const reader = new Reader(message);
  const token = String(reader.read());
  const queues = waiting.get(token);
  return queues && { token, jobs: readClaim(message.subarray(reader.at), queues, token).jobs };
}

/** What the jobs of one line have in common. */
interface Terms {
  readonly queue: string;
  readonly token: string;
  readonly time: number;
}

type Writable = { -readonly [K in keyof ClaimedJob]: ClaimedJob[K] } & { [KEY]?: Uint8Array };

function readLine(answer: Buffer, reader: Reader, terms: Terms, into: ClaimedJob[]): void {
  const keys: Buffer[] = [];
  for (let left = reader.enter(); left > 0; left--) keys.push(answer.subarray(reader.skipString(), reader.at));
  const read: (Writable | undefined)[] = [];
  const records = reader.enter();
  for (let at = 0; at < records; at++) {
    const from = reader.skipString();
    const job = from < 0 ? undefined : claimedJob(answer, from, reader.at, keys[at] as Buffer, terms);
    read.push(job);
    if (job !== undefined) into.push(job);
  }
  const histories = reader.enter();
  for (let at = 0; at < histories; at++) addHistory(read[at], reader.read(), terms.time);
}

function claimedJob(answer: Buffer, from: number, to: number, key: Buffer, { queue, token }: Terms): Writable {
  const { priority, headers, body } = decodeOrLeave(answer, from, to);
  const id = decodeId(key);
  const job: Writable = { id, queue, priority, body, attempt: 1, token, losses: 0, expired: false, [KEY]: key };
  // Set rather than spread: most jobs have none.
  if (headers !== undefined) job.headers = headers;
  return job;
}

/** What cannot be read is claimed as it is: the core puts it with the dead letters, where its bytes can be looked at. */
function decodeOrLeave(answer: Buffer, from: number, to: number): Pick<StoredJob, "priority" | "headers" | "body"> {
  try {
    return decodeJob(answer, from, to);
  } catch {
    return { priority: 0, body: answer.subarray(from, to) };
  }
}

function addHistory(job: Writable | undefined, packed: ReturnType<Reader["read"]>, time: number): void {
  if (job === undefined || !Buffer.isBuffer(packed)) return;
  const { attempts, losses, expiresAt, history } = decodeHistory(packed);
  job.attempt = attempts + 1;
  job.losses = losses;
  job.expired = expiresAt !== undefined && expiresAt <= time;
  if (history !== undefined) job.history = history;
}
