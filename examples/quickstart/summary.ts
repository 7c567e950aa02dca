import type { JobView, Outcome } from "taskwright";
import { top } from "./markdown.js";
import type { Analysis } from "./tasks.js";

/** What came of a run. */
export interface Run {
  /** How the analyses ended, that of the unreadable file among them. */
  readonly analyses: readonly Outcome<Analysis>[];
  /** How the job ended that fails twice. */
  readonly unsteady: Outcome<number>;
  /** The jobs that failed for good, as the broker keeps them. */
  readonly deadLetters: readonly JobView[];
  /** From the first enqueue until the last readable file was analysed. */
  readonly seconds: number;
}

/** Prints what came of a run: jobs, speed, attempts, retries, dead letters and the words used most. */
export function printSummary({ analyses, unsteady, deadLetters, seconds }: Run): void {
  const outcomes: readonly Outcome[] = [...analyses, unsteady];
  const read = analyses.flatMap((outcome) => (outcome.state === "completed" ? [outcome.value] : []));
  const attempts = outcomes.reduce((sum, outcome) => sum + outcome.attempt, 0);
  const dead = deadLetters.length;
  line("jobs", `${outcomes.length}: ${outcomes.length - dead} completed, ${dead} dead`);
  line("speed", `${Math.round(read.length / seconds)} jobs/s: ${read.length} files in ${seconds.toFixed(2)} s`);
  line("attempts", `${attempts}, ${attempts - outcomes.length} of them retries`);
  line("retried", `one job failed twice on purpose and was ${unsteady.state} in attempt ${unsteady.attempt}`);
  for (const letter of deadLetters) line("dead", describe(letter));
  line("read", `${total(read, "words")} words, ${total(read, "headings")} headings, ${total(read, "links")} links`);
  line("words", `of five letters and more: ${mostUsed(read).join(", ")}`);
}

function describe({ message, reason, attempt, attempts }: JobView): string {
  const call = `${message?.task}(${JSON.stringify(message?.args[0])})`;
  return `${call}: ${reason} after ${attempt} attempts, ${attempts.at(-1)?.error.message}`;
}

function line(title: string, text: string): void {
  console.log(`  ${title.padEnd(8)} ${text}`);
}

function total(analyses: readonly Analysis[], key: "words" | "headings" | "links"): number {
  return analyses.reduce((sum, one) => sum + one[key], 0);
}

/** The ten words used most, counted from the hundred that each file uses most. */
function mostUsed(analyses: readonly Analysis[]): string[] {
  const counts = new Map<string, number>();
  for (const [word, count] of analyses.flatMap((one) => one.mostUsed)) {
    counts.set(word, (counts.get(word) ?? 0) + count);
  }
  return top(counts, 10).map(([word, count]) => `${word} (${count})`);
}
