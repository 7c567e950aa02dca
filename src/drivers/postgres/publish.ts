import type { OutgoingJob, PublishStatus } from "../../contracts/broker.js";
import type { When } from "../../contracts/clock.js";
import { encodeHeaders } from "../../job/headers.js";
import { encodeId } from "../../job/id-bytes.js";
import type { Parameter } from "./database.js";
import { everyNumber, numbers, Packer, texts } from "./packing.js";

/** What one call takes: as many as have numbers in one step of their sequence, and not more than fit well into a message. */
const LARGEST_BATCH = 50_000;
const LARGEST_BYTES = 32 * 1024 * 1024;

/** A moment that is surely over. 0 says that there is none. */
const LONG_AGO = 1;

/** The batch in parts for one call each. Nearly always there is one. */
export function parts(jobs: readonly OutgoingJob[]): (readonly OutgoingJob[])[] {
  const cut: (readonly OutgoingJob[])[] = [];
  let from = 0;
  let bytes = 0;
  for (let at = 0; at < jobs.length; at++) {
    const size = (jobs[at] as OutgoingJob).body.length;
    if (at > from && (at - from >= LARGEST_BATCH || bytes + size > LARGEST_BYTES)) {
      cut.push(jobs.slice(from, at));
      from = at;
      bytes = 0;
    }
    bytes += size;
  }
  cut.push(from === 0 ? jobs : jobs.slice(from));
  return cut;
}

/** `exact`: look for every id among those that exist, not only for those that callers chose. */
export function publishCall(schema: string, jobs: readonly OutgoingJob[], exact: boolean): [string, Parameter[]] {
  const text = `SELECT ${schema}.publish($1::bytea, $2::text::text[], $3::text::int[], $4::text::int[], $5::text::int[],
    $6::text::bigint[], $7::text::bigint[], $8::text::int[], $9::text::int[], $10::text::int[], $11::text::boolean[]) AS answer`;
  return [text, publishArguments(jobs, exact)];
}

function publishArguments(jobs: readonly OutgoingJob[], exact: boolean): Parameter[] {
  const packer = new Packer();
  const names = new Map<string, number>();
  const count = jobs.length;
  const starts = new Array<number>(count);
  const queues = new Array<number>(count);
  const ranks = new Array<number>(count);
  const dues = new Array<number>(count);
  const expiries = new Array<number>(count);
  const ids = new Array<number>(count);
  const heads = new Array<number>(count);
  const bodies = new Array<number>(count);
  for (let at = 0; at < count; at++) {
    const { id, queue, priority, notBefore, expires, headers, body } = jobs[at] as OutgoingJob;
    let name = names.get(queue);
    if (name === undefined) {
      name = names.size + 1;
      names.set(queue, name);
    }
    starts[at] = packer.length;
    queues[at] = name;
    ranks[at] = 9 - priority;
    dues[at] = notBefore === undefined ? 0 : encodeWhen(notBefore, 0);
    expiries[at] = expires === undefined ? 0 : encodeWhen(expires, LONG_AGO);
    ids[at] = packer.add(encodeId(id));
    heads[at] = headers === undefined ? 0 : packer.add(encodeHeaders(headers));
    bodies[at] = packer.add(body);
  }
  const uniform = [queues, ranks, dues, expiries, ids, heads, bodies].map(numbers);
  return [packer.bytes(), texts([...names.keys()]), everyNumber(starts), ...uniform, uniqueness(jobs, exact)];
}

/** Below 0: so many ms from the server's now. Above: an epoch time. What is over: `past`. */
function encodeWhen(when: When, past: number): number {
  if ("in" in when) return when.in > 0 ? -Math.ceil(when.in) : past;
  return when.at > 0 ? Math.ceil(when.at) : past;
}

function uniqueness(jobs: readonly OutgoingJob[], exact: boolean): string {
  if (exact) return "{t}";
  if (!jobs.some(({ unique }) => unique)) return "{f}";
  return `{${jobs.map(({ unique }) => (unique ? "t" : "f")).join(",")}}`;
}

/** The function's letters, or none where all jobs were created. */
export function publishStatuses(letters: string, count: number): PublishStatus[] {
  if (letters === "") return new Array<PublishStatus>(count).fill("created");
  return Array.from(letters, (letter) => (letter === "c" ? "created" : "duplicate"));
}
