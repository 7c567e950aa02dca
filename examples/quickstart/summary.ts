import type { Outcome } from "taskwright";
import { top } from "./markdown.js";
import type { Analysis } from "./tasks.js";

/** What came of a run. `unsteady` is the job that fails twice. */
export interface Run {
  readonly analyses: readonly Outcome<Analysis>[];
  readonly unsteady: Outcome<number>;
  readonly seconds: number;
}

/** Prints what came of a run: jobs, speed, attempts, retries, dead letters and the words used most. */
export function printSummary({ analyses, unsteady, seconds }: Run): void {
  const outcomes: readonly Outcome[] = [...analyses, unsteady];
  const dead = analyses.filter((outcome) => outcome.state !== "completed");
  const read = analyses.flatMap((outcome) => (outcome.state === "completed" ? [outcome.value] : []));
  const attempts = outcomes.reduce((sum, outcome) => sum + outcome.attempt, 0);
  line(
    "jobs",
    `${outcomes.length} in ${seconds.toFixed(2)} s: ${outcomes.length - dead.length} completed, ${dead.length} dead`,
  );
  line("speed", `${Math.round(outcomes.length / seconds)} jobs/s, the pauses before retries included`);
  line("attempts", `${attempts}, ${attempts - outcomes.length} of them retries`);
  line("retried", `one job failed twice on purpose and was ${unsteady.state} in attempt ${unsteady.attempt}`);
  for (const outcome of dead) {
    line("dead", `one job failed in all ${outcome.attempt} attempts: ${outcome.error.name}: ${outcome.error.message}`);
  }
  line("read", `${total(read, "words")} words, ${total(read, "headings")} headings, ${total(read, "links")} links`);
  line("words", mostUsed(read).join(", "));
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
