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
  const interrupted = new Promise<never>((_, reject) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => reject(new Error("interrupted")));
  });
  // It may come while nobody waits for it yet; whoever waits later still sees it.
  interrupted.catch(() => {});
  return interrupted;
}

async function markdownFiles(): Promise<string[]> {
  const names = await readdir(NODE_MODULES, { recursive: true });
  return names.filter((name) => /\.md$/i.test(name)).map((name) => join(NODE_MODULES, name));
}

/** Enqueues one job for each file and the two that fail on purpose, and answers how they all ended. */
async function analyseAll({ app, analyse, unsteady }: typeof import("./tasks.js"), folder: string): Promise<Run> {
  const paths = await markdownFiles();
  console.log(`  files    ${paths.length} Markdown files under node_modules, and one that cannot be read\n`);
  // Nobody can read a folder as a file, not even root: this job fails in every attempt and becomes a dead letter.
  const unreadable = join(folder, "unreadable.md");
  await mkdir(unreadable);

  const started = performance.now();
  const jobs = await analyse.enqueueMany(paths.map((path): [string] => [path]));
  const failing = await analyse.enqueue(unreadable);
  const flaky = await unsteady.enqueue();

  const bar = new ProgressBar(jobs.length + 2);
  const ended = <R>(job: Job<R>) => job.outcome({ timeout: "25s" }).finally(() => bar.tick());
  const seconds = () => (performance.now() - started) / 1_000;
  const [files, dead, recovered] = await Promise.all([
    Promise.all(jobs.map(ended)).then((analyses) => ({ analyses, seconds: seconds() })),
    ended(failing),
    ended(flaky),
  ]);
  bar.end();
  const { jobs: deadLetters } = await app.inspect.jobs({ state: "dead" });
  return { analyses: [...files.analyses, dead], unsteady: recovered, deadLetters, seconds: files.seconds };
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
    const analysed = worker.ready.then(() => analyseAll(tasks, folder));
    printSummary(await Promise.race([analysed, worker.failed(), interrupted]));
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
