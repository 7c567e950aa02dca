/**
 * The quick start: `npm run quickstart`. It starts a worker as a separate process, lets it analyse every Markdown file
 * under node_modules, and shows what came of it. The tasks are in tasks.ts; everything it writes is in a temporary folder.
 */
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Job } from "taskwright";
import { ProgressBar } from "./progress-bar.js";
import { printSummary, type Run } from "./summary.js";
import { WorkerProcess } from "./worker-process.js";

const NODE_MODULES = fileURLToPath(new URL("../../node_modules", import.meta.url));
const TASKS = fileURLToPath(new URL("./tasks.ts", import.meta.url));

/** Rejects when the user presses Ctrl+C, or somebody else wants us gone. */
function interruption(): Promise<never> {
  return new Promise((_, reject) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => reject(new Error("interrupted")));
  });
}

async function markdownFiles(): Promise<string[]> {
  const names = await readdir(NODE_MODULES, { recursive: true });
  return names.filter((name) => /\.md$/i.test(name)).map((name) => join(NODE_MODULES, name));
}

/** Enqueues one job for each file and the two that fail on purpose, and answers how they all ended. */
async function analyseAll({ analyse, unsteady }: typeof import("./tasks.js"), folder: string): Promise<Run> {
  const files = await markdownFiles();
  console.log(`  files    ${files.length} Markdown files under node_modules, and one that cannot be read\n`);
  // Nobody can read a folder as a file, not even root: this job fails in every attempt and becomes a dead letter.
  const unreadable = join(folder, "unreadable.md");
  await mkdir(unreadable);

  const started = performance.now();
  const jobs = await analyse.enqueueMany([...files, unreadable].map((path): [string] => [path]));
  const flaky = await unsteady.enqueue();
  const bar = new ProgressBar(jobs.length + 1);
  const ended = <R>(job: Job<R>) => job.outcome({ timeout: "25s" }).finally(() => bar.tick());
  const [outcome, ...analyses] = await Promise.all([ended(flaky), ...jobs.map(ended)] as const);
  bar.end();
  return { analyses, unsteady: outcome, seconds: (performance.now() - started) / 1_000 };
}

async function main(): Promise<void> {
  const interrupted = interruption();
  const folder = await mkdtemp(join(tmpdir(), "taskwright-quickstart-"));
  process.env.TASKWRIGHT_BROKER = `sqlite:${join(folder, "jobs.db")}`;
  // Loaded only now, because an app reads TASKWRIGHT_BROKER when it is made.
  const tasks = await import("./tasks.js");
  const worker = new WorkerProcess(TASKS);
  try {
    console.log("taskwright quick start");
    console.log(`  worker   process ${worker.pid}, started as: taskwright worker examples/quickstart/tasks.ts`);
    console.log(`  broker   ${process.env.TASKWRIGHT_BROKER}`);
    printSummary(await Promise.race([analyseAll(tasks, folder), worker.failed(), interrupted]));
  } finally {
    await tasks.app.close();
    await worker.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

main().then(
  () => process.exit(0),
  (error: Error) => {
    const interrupted = error.message === "interrupted";
    console.error(interrupted ? "\n  interrupted: the worker is stopped and the temporary folder removed" : error);
    process.exit(interrupted ? 130 : 1);
  },
);
