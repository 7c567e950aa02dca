import type { OutgoingJob } from "../../contracts/broker.js";
import { UnreadableError } from "../../job/errors.js";
import { decodeHeaders, encodeHeaders } from "../../job/headers.js";
import type { Packer } from "./wire.js";

/** The queue of most jobs costs no bytes. */
const DEFAULT_QUEUE = "default";
const PRIORITY = 0x0f;
const IN_DEFAULT_QUEUE = 0x10;
const HAS_HEADERS = 0x20;
const TIME_BYTES = 6;

/** A published job as Redis keeps it, never rewritten. What happens to it later is in its {@link History}. */
export interface StoredJob {
  readonly queue: string;
  readonly priority: number;
  /** Epoch ms at which it was published, by the server's clock as the producer knew it. Tells only how long it waits. */
  readonly publishedAt: number;
  readonly body: Buffer;
  readonly headers?: Readonly<Record<string, unknown>>;
}

/**
 * `flags and priority (1), [queue size (2), queue], time (6), [headers size (4), headers], body`. Scripts read
 * the priority and the queue, nothing else.
 */
export function encodeJob(job: OutgoingJob, publishedAt: number): Buffer {
  const { queue, headers, body } = job;
  const parts: Uint8Array[] = [Buffer.of(flagsOf(job))];
  if (queue !== DEFAULT_QUEUE) parts.push(sized(Buffer.from(queue), 2));
  parts.push(timeBytes(publishedAt));
  const encoded = encodeHeaders(headers);
  if (encoded !== undefined) parts.push(sized(encoded, 4));
  parts.push(body);
  return Buffer.concat(parts);
}

/** Packs the id and the record of each job, in turns. */
export function packJobs(packer: Packer, jobs: readonly OutgoingJob[], publishedAt: number): void {
  const time = timeBytes(publishedAt);
  packer.beginArray(2 * jobs.length);
  for (const job of jobs) {
    packer.id(job.id);
    if (job.queue !== DEFAULT_QUEUE || job.headers !== undefined) {
      packer.write(encodeJob(job, publishedAt));
      continue;
    }
    packer.beginString(1 + TIME_BYTES + job.body.length);
    packer.byte(flagsOf(job));
    packer.copy(time);
    packer.copy(job.body);
  }
}

function flagsOf({ queue, priority, headers }: OutgoingJob): number {
  return priority | (queue === DEFAULT_QUEUE ? IN_DEFAULT_QUEUE : 0) | (headers === undefined ? 0 : HAS_HEADERS);
}

/** @throws {UnreadableError} where the bytes are none of ours. */
export function decodeJob(bytes: Buffer, from = 0, to = bytes.length): StoredJob {
  try {
    return readJob(bytes, from, to);
  } catch (error) {
    throw new UnreadableError("a job in Redis is damaged, or not taskwright's", { cause: error });
  }
}

function readJob(bytes: Buffer, from: number, to: number): StoredJob {
  const flags = bytes.readUInt8(from);
  const priority = flags & PRIORITY;
  let at = from + 1;
  let queue = DEFAULT_QUEUE;
  if ((flags & IN_DEFAULT_QUEUE) === 0) {
    const size = bytes.readUInt16BE(at);
    queue = bytes.toString("utf8", at + 2, at + 2 + size);
    at += 2 + size;
  }
  const publishedAt = bytes.readUIntBE(at, TIME_BYTES);
  at += TIME_BYTES;
  if ((flags & HAS_HEADERS) === 0) return { queue, priority, publishedAt, body: bytes.subarray(at, to) };
  const end = at + 4 + bytes.readUInt32BE(at);
  const headers = decodeHeaders(bytes.subarray(at + 4, end));
  return { queue, priority, publishedAt, ...headers, body: bytes.subarray(end, to) };
}

function timeBytes(time: number): Buffer {
  const bytes = Buffer.allocUnsafe(TIME_BYTES);
  bytes.writeUIntBE(time, 0, TIME_BYTES);
  return bytes;
}

function sized(content: Uint8Array, sizeBytes: number): Buffer {
  const bytes = Buffer.allocUnsafe(sizeBytes + content.length);
  bytes.writeUIntBE(content.length, 0, sizeBytes);
  bytes.set(content, sizeBytes);
  return bytes;
}
