import type { ClaimedJob } from "../../contracts/broker.js";
import { decodeHistory } from "./history.js";
import { decodeId } from "./ids.js";
import { decodeJob } from "./record.js";
import type { Unpacked } from "./wire.js";

/** What the claiming script answers. */
export interface Claimed {
  /** The server's, in epoch ms. */
  readonly time: number;
  /** Epoch ms at which the next job of these queues is due. */
  readonly nextDue: number | undefined;
  /** `{index of the queue from 1, ids, records, histories}`. */
  readonly lines: readonly Unpacked[];
}

export function readClaim(answer: Unpacked): Claimed {
  const [time, due, ...lines] = Array.isArray(answer) ? answer : [];
  const nextDue = Number(String(due));
  return { time: Number(String(time)), nextDue: nextDue >= 0 ? nextDue : undefined, lines };
}

/** The jobs, leased under `token`. One whose record is gone is left out: its lease passes, and the sweep forgets it. */
export function claimedJobs({ time, lines }: Claimed, queues: readonly string[], token: string): ClaimedJob[] {
  const jobs: ClaimedJob[] = [];
  for (const line of lines) {
    if (!Array.isArray(line)) continue;
    const [index, ids, records, histories] = line;
    const queue = queues[Number(index) - 1];
    if (queue === undefined || !Array.isArray(ids) || !Array.isArray(records)) continue;
    for (let at = 0; at < ids.length; at++) {
      const history = Array.isArray(histories) ? histories[at] : undefined;
      const job = claimedJob(ids[at], records[at], history, { queue, token, time });
      if (job !== undefined) jobs.push(job);
    }
  }
  return jobs;
}

interface Terms {
  readonly queue: string;
  readonly token: string;
  readonly time: number;
}

function claimedJob(id: Unpacked, record: Unpacked, packed: Unpacked, terms: Terms): ClaimedJob | undefined {
  if (!Buffer.isBuffer(id) || !Buffer.isBuffer(record)) return undefined;
  const { priority, headers, body } = decodeJob(record);
  const { attempts, losses, expiresAt, history } = decodeHistory(packed);
  const job: ClaimedJob & { headers?: ClaimedJob["headers"]; history?: Uint8Array } = {
    id: decodeId(id),
    queue: terms.queue,
    priority,
    body,
    attempt: attempts + 1,
    token: terms.token,
    losses,
    expired: expiresAt !== undefined && expiresAt <= terms.time,
  };
  // Set rather than spread: most jobs have neither.
  if (headers !== undefined) Object.assign(job, { headers });
  if (history !== undefined) Object.assign(job, { history });
  return job;
}
