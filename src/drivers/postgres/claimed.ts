import type { ClaimedJob } from "../../contracts/broker.js";
import { decodeHeaders } from "../../job/headers.js";
import { decodeId } from "../../job/id-bytes.js";
import { bytes, integer, integers, optionalInteger, text } from "./cells.js";
import type { Row } from "./database.js";
import { toToken } from "./token.js";

/** What a claim found in one queue. */
export interface Found {
  /** Which of the queues asked for, from 0. */
  readonly place: number;
  /** The server's clock in epoch ms. */
  readonly moment: number;
  readonly hint: string[];
  /** Epoch ms at which the next delayed job is due, where none is now. */
  readonly nextDue?: number;
  readonly jobs: readonly ClaimedJob[];
}

/** The columns of the function `claim`, in the order of `Row`. */
export const CLAIM_COLUMNS =
  "place, moment, hint, next_due, token, seqs, ranks, ids, bodies, attempts, losses, expired, heads, histories, packed";

export function readFound(row: Row, queues: readonly string[]): Found {
  const [place, moment, hint, nextDue, token] = row;
  const at = integer(place) - 1;
  const next = optionalInteger(nextDue);
  return {
    place: at,
    moment: integer(moment),
    hint: text(hint).slice(1, -1).split(","),
    ...(next !== undefined && { nextDue: next }),
    jobs: token === null ? [] : readJobs(row, queues[at] ?? ""),
  };
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

function readJobs(row: Row, queue: string): ClaimedJob[] {
  const [, , , , token, seqs, ranks, ids, bodies, attempts, losses, expired, heads, histories, packed] = row;
  const claim = text(token);
  const all = bytes(packed);
  const levels = integers(ranks);
  const lengths = integers(bodies);
  const idLengths = integers(ids);
  // Of most claims no job was claimed before, expires or has headers.
  const rare = attempts === null ? undefined : [attempts, losses, expired, heads, histories].map(integers);
  let at = 0;
  const take = (length: number): Buffer => {
    at += length;
    return all.subarray(at - length, at);
  };
  return integers(seqs).map((seq, index) => {
    const id = take(idLengths[index] ?? 0);
    const job: Writable<ClaimedJob> = {
      id: decodeId(id),
      queue,
      priority: 9 - (levels[index] ?? levels[0] ?? 0),
      body: id,
      attempt: 1,
      token: toToken(claim, seq),
      losses: 0,
      expired: false,
    };
    if (rare !== undefined)
      addRare(
        job,
        rare.map((values) => values[index] ?? 0),
        take,
      );
    job.body = take(lengths[index] ?? 0);
    return job;
  });
}

function addRare(job: Writable<ClaimedJob>, rare: readonly number[], take: (length: number) => Buffer): void {
  const [attempts = 0, losses = 0, expired, head = -1, history = -1] = rare;
  job.attempt = attempts + 1;
  job.losses = losses;
  job.expired = expired === 1;
  if (head >= 0) Object.assign(job, decodeHeaders(take(head)));
  if (history >= 0) job.history = take(history);
}
