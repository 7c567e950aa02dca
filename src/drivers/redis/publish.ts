import type { OutgoingJob, PublishStatus } from "../../contracts/broker.js";
import type { When } from "../../contracts/clock.js";
import { encodeId } from "../../job/id-bytes.js";
import { encodeJob } from "./record.js";
import type { Packable } from "./wire.js";

/** Jobs that go the same way and have no times of their own: the script takes each run of them in two commands. */
interface Run {
  readonly queue: string;
  readonly priority: number;
  readonly pairs: Uint8Array[];
}

/** The most bytes of one call: Redis takes 512 MiB at once, and holds everybody else up while it does. */
const LARGEST_CALL = 16 * 1024 * 1024;

/** Parts of a batch that are small enough for one call each. Nearly always there is one. */
export function* parts(jobs: readonly OutgoingJob[]): Generator<readonly OutgoingJob[]> {
  let from = 0;
  let bytes = 0;
  for (let at = 0; at < jobs.length; at++) {
    const size = jobs[at]?.body.length ?? 0;
    if (at > from && bytes + size > LARGEST_CALL) {
      yield jobs.slice(from, at);
      from = at;
      bytes = 0;
    }
    bytes += size;
  }
  yield from === 0 ? jobs : jobs.slice(from);
}

/** What the script takes for these jobs, in their order. */
export function publishArgs(jobs: readonly OutgoingJob[], time: number): Packable[] {
  const args: Packable[] = [];
  let run: Run | undefined;
  for (const job of jobs) {
    if (job.unique || job.notBefore !== undefined || job.expires !== undefined) {
      run = undefined;
      args.push(single(job, time));
      continue;
    }
    if (run?.queue !== job.queue || run.priority !== job.priority) {
      run = { queue: job.queue, priority: job.priority, pairs: [] };
      args.push([run.queue, run.priority, run.pairs]);
    }
    run.pairs.push(encodeId(job.id), encodeJob(job, time));
  }
  return args;
}

function single(job: OutgoingJob, time: number): Packable {
  const pair = [encodeId(job.id), encodeJob(job, time)];
  const [due, dueIn] = moment(job.notBefore);
  const [expires, expiresIn] = moment(job.expires);
  return [job.queue, job.priority, job.unique === true, pair, due, dueIn, expires, expiresIn];
}

/** A time in ms, and whether it is from now on. 0 for none. */
function moment(when: When | undefined): [number, boolean] {
  if (when === undefined) return [0, false];
  return "in" in when ? [Math.round(when.in), true] : [Math.round(when.at), false];
}

/** The answer to one call. */
export function statusesOf(letters: Buffer): PublishStatus[] {
  return Array.from(letters, (letter) => (letter === 0x31 ? "created" : "duplicate"));
}
