import type { JobView } from "../inspect/inspect.js";
import { formatDuration } from "../job/duration.js";
import type { AttemptRecord } from "../job/history.js";
import { showAge, showArguments, showValue } from "./show.js";
import { plain } from "./table.js";
import type { Style } from "./terminal.js";

/** A state in its colour. */
export function showState(state: string, style: Style): string {
  const paint = { active: style.green, completed: style.green, dead: style.red, retrying: style.yellow }[state];
  return paint === undefined ? state : paint(state);
}

/** The job's task, or that nobody can tell. */
export function taskOf(job: JobView): string {
  return job.message === undefined ? "(unreadable)" : plain(job.message.task);
}

/** `add(1, 2)`. */
function callOf(job: JobView, width?: number): string {
  return job.message === undefined ? taskOf(job) : `${taskOf(job)}(${showArguments(job.message.args, width)})`;
}

/** What a job's properties are, for `jobs show` and `dead show`. */
export function describeJob(job: JobView, style: Style, now: number): [name: string, value: string][] {
  const lines: [string, string][] = [
    ["job", style.bold(job.id)],
    ["task", callOf(job, 1000)],
    ["queue", plain(job.queue)],
    ["state", `${showState(job.state, style)}${job.reason === undefined ? "" : ` (${job.reason})`}`],
    ["priority", String(job.priority)],
    ["attempt", String(job.attempt)],
    [job.state === "dead" ? "died" : "due", whenOf(job.dueAt, now)],
  ];
  if (job.losses > 0) lines.push(["workers lost", String(job.losses)]);
  if (job.worker !== undefined) lines.push(["worker", plain(job.worker)]);
  if (job.message === undefined) lines.push(["raw body", showBytes(job.body)]);
  else lines.push(["enqueued", whenOf(new Date(job.message.enqueuedAt), now)], ...describeOptions(job));
  return lines;
}

function describeOptions(job: JobView): [name: string, value: string][] {
  const { parentId, rootId, ...options } = job.message?.options ?? {};
  const lines = Object.entries(options).map(([name, value]): [string, string] => [name, showValue(value)]);
  if (parentId !== undefined) lines.push(["enqueued by", plain(parentId)]);
  if (rootId !== undefined && rootId !== parentId) lines.push(["first of line", plain(rootId)]);
  return lines;
}

/** The attempts that failed, each with its error and where it was thrown. */
export function describeAttempts(attempts: readonly AttemptRecord[], style: Style): string[] {
  return attempts.map(({ attempt, startedAt, endedAt, worker, error }) => {
    const took = formatDuration(Math.max(0, endedAt.getTime() - startedAt.getTime()));
    const head = `attempt ${attempt}, ${startedAt.toISOString()}, ${took}, ${plain(worker)}`;
    return `${style.dim(head)}\n${plain(withoutOurFrames(error.stack ?? `${error.name}: ${error.message}`))}`;
  });
}

/** A dozen frames of Node and of taskwright stand below those of the handler and say nothing of it. `--json` has them. */
function withoutOurFrames(stack: string): string {
  const ours = /^\s+at .*(?:\bnode:|[\\/]node_modules[\\/]taskwright[\\/])/;
  return stack
    .split("\n")
    .filter((line) => !ours.test(line))
    .join("\n");
}

function whenOf(date: Date, now: number): string {
  return `${date.toISOString()} (${showAge(date.getTime(), now)})`;
}

/** Bytes as text where they are some, and in hexadecimal otherwise; the first 400 of them. */
function showBytes(bytes: Uint8Array): string {
  const head = bytes.subarray(0, 400);
  const text = new TextDecoder().decode(head);
  const shown = text.includes("\ufffd") || plain(text) !== text ? Buffer.from(head).toString("hex") : text;
  return `${shown}${bytes.length > head.length ? ` … (${bytes.length} bytes)` : ""}`;
}
