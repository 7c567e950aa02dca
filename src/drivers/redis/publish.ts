import type { OutgoingJob, PublishStatus } from "../../contracts/broker.js";
import type { When } from "../../contracts/clock.js";
import { packJobs } from "./record.js";
import { Packer } from "./wire.js";

/** The most bytes of one call: Redis takes 512 MiB at once, and holds everybody else up while it does. */
const LARGEST_CALL = 16 * 1024 * 1024;
/** Bytes of a job in a call beside its body, more often than not. */
const AROUND_BODY = 40;

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

/** What the script takes for these jobs, in their order and packed. */
export function packJobsToPublish(jobs: readonly OutgoingJob[], time: number): Buffer {
  const runs = runsOf(jobs);
  const packer = new Packer(jobs.reduce((size, { body }) => size + body.length, jobs.length * AROUND_BODY));
  packer.beginArray(runs.length);
  for (const run of runs) {
    const job = run[0] as OutgoingJob;
    const alone = goesAlone(job);
    packer.beginArray(alone ? 8 : 3);
    packer.write(job.queue);
    packer.write(job.priority);
    if (alone) packer.write(job.unique === true);
    packJobs(packer, run, time);
    if (alone) for (const value of [...moment(job.notBefore), ...moment(job.expires)]) packer.write(value);
  }
  return packer.bytes();
}

/** Jobs that go the same way and have no times of their own are one run: the script takes it in two commands. */
function runsOf(jobs: readonly OutgoingJob[]): (readonly OutgoingJob[])[] {
  const runs: (readonly OutgoingJob[])[] = [];
  for (let from = 0; from < jobs.length; ) {
    const end = endOfRun(jobs, from);
    runs.push(from === 0 && end === jobs.length ? jobs : jobs.slice(from, end));
    from = end;
  }
  return runs;
}

function endOfRun(jobs: readonly OutgoingJob[], from: number): number {
  const first = jobs[from] as OutgoingJob;
  let end = from + 1;
  if (goesAlone(first)) return end;
  for (; end < jobs.length; end++) {
    const next = jobs[end] as OutgoingJob;
    if (next.queue !== first.queue || next.priority !== first.priority || goesAlone(next)) break;
  }
  return end;
}

function goesAlone({ unique, notBefore, expires }: OutgoingJob): boolean {
  return unique === true || notBefore !== undefined || expires !== undefined;
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
