import { type Command, Option } from "commander";
import { DEAD_REASONS, type DeadReason } from "../../contracts/index.js";
import type { Inspect, JobView } from "../../inspect/inspect.js";
import { CliError, EXIT } from "../failure.js";
import { onGroup } from "../groups.js";
import { examples } from "../help.js";
import { firstJobs, type JobSelection, jobToJson, listJobs } from "../job-list.js";
import { describeAttempts, describeJob, taskOf } from "../job-text.js";
import { type AppOptions, addAppOption, withSession } from "../session.js";
import { printJson, showAge } from "../show.js";
import { plain, properties, table } from "../table.js";
import type { Terminal } from "../terminal.js";
import { parseInteger } from "../values.js";

interface DeadOptions extends AppOptions {
  readonly queue?: string;
  readonly task?: string;
  readonly reason?: DeadReason;
  readonly limit: number;
  readonly all?: true;
}

/** `taskwright dead`: the dead letters, and what to do with them. */
export function addDeadCommand(program: Command, terminal: Terminal): void {
  const group = program
    .command("dead")
    .description("List the dead letters: jobs that failed for good, and why.")
    .option("--queue <name>", "only those of this queue")
    .option("--task <name>", "only those of this task")
    .addOption(new Option("--reason <reason>", "only those that died of this").choices(DEAD_REASONS))
    .option("--limit <number>", "list at most this many", parseInteger(1), 50)
    .addHelpText(
      "after",
      examples(
        ["taskwright dead --queue mail", "what died there"],
        ["taskwright dead show 0193b2c4-7d2e-7aaa-8a5e-1f0c7d1a2b3c", "its arguments and every error with its stack"],
        ["taskwright dead retry --all --queue mail --reason failed", "back into the queue, with all attempts"],
        ["taskwright dead discard 0193b2c4-7d2e-7aaa-8a5e-1f0c7d1a2b3c", "delete it"],
      ),
    );
  onGroup(addAppOption(group), () => list(group, terminal));
  group
    .command("list")
    .description("The same as `dead` alone.")
    .action((_options, command: Command) => list(command, terminal));
  const show = group.command("show").description("Show one dead letter whole.").argument("<id>", "the job's id");
  show.action((id: string) => showDead(show, id, terminal));
  for (const verb of ["retry", "discard"] as const) {
    const does = verb === "retry" ? "Put dead letters back into their queues." : "Delete dead letters.";
    const command = group
      .command(verb)
      .description(does)
      .argument("[ids...]", "their ids")
      .option("--all", "all of them, or those of --queue, --task and --reason");
    command.action((ids: string[]) => act(command, verb, ids, terminal));
  }
}

async function list(command: Command, terminal: Terminal): Promise<void> {
  const options = command.optsWithGlobals<DeadOptions>();
  await withSession(command, async ({ app }) => {
    const { jobs, more } = await firstJobs(app.inspect, selection(options), options.limit);
    if (options.json) return printJson(terminal, jobs.map(jobToJson));
    if (jobs.length === 0) return terminal.printError("no dead letters");
    terminal.print(layOut(jobs));
    if (more) terminal.printError(`and more: --limit shows more than ${options.limit}`);
  });
}

function selection({ queue, task, reason }: DeadOptions): JobSelection {
  return { state: "dead", queue, task, reason };
}

function layOut(jobs: readonly JobView[]): string {
  const now = Date.now();
  return table(
    ["JOB", "TASK", "QUEUE", "REASON", "ATTEMPTS", "DIED", "LAST ERROR"].map((heading) => ({ heading })),
    jobs.map((job) => [
      job.id,
      taskOf(job),
      plain(job.queue),
      job.reason ?? "",
      String(job.attempt),
      showAge(job.dueAt.getTime(), now),
      lastError(job),
    ]),
  );
}

function lastError(job: JobView): string {
  const error = job.attempts.at(-1)?.error;
  if (error === undefined) return "";
  const text = plain(`${error.name}: ${error.message}`).replace(/\s*\n\s*/g, " ");
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
}

async function showDead(command: Command, id: string, terminal: Terminal): Promise<void> {
  const { json } = command.optsWithGlobals<DeadOptions>();
  await withSession(command, async ({ app }) => {
    const job = await app.inspect.find(id);
    if (job?.state !== "dead") throw notDead(id, job?.state);
    if (json) return printJson(terminal, jobToJson(job));
    const { style } = terminal;
    terminal.print(
      [properties(describeJob(job, style, Date.now())), ...describeAttempts(job.attempts, style)].join("\n\n"),
    );
  });
}

function notDead(id: string, state: string | undefined): CliError {
  const is = state === undefined ? "there is no dead letter" : `job ${id} is ${state}, not dead:`;
  return new CliError(state === undefined ? `${is} ${id}` : `${is} see "taskwright jobs show ${id}"`, EXIT.notFound);
}

async function act(
  command: Command,
  verb: "retry" | "discard",
  ids: readonly string[],
  terminal: Terminal,
): Promise<void> {
  const options = command.optsWithGlobals<DeadOptions>();
  if (ids.length > 0 === (options.all === true)) {
    throw new CliError(`which dead letters? Name their ids, or --all, which --queue, --task and --reason narrow down`);
  }
  await withSession(command, async ({ app }) => {
    const wanted = options.all ? await idsOf(app.inspect, selection(options)) : await onlyDead(app.inspect, ids);
    const done = await inBatches(wanted, (batch) => app.inspect[verb](batch));
    const missing = options.all ? [] : ids.filter((id) => !done.includes(id));
    if (options.json) printJson(terminal, { [verb === "retry" ? "retried" : "discarded"]: done, missing });
    else terminal.print(`${done.length} ${verb === "retry" ? "put back into the queue" : "deleted"}`);
    if (missing.length > 0) throw new CliError(`there is no dead letter ${missing.join(", ")}`, EXIT.notFound);
  });
}

/** `discard` would delete waiting jobs too, and this command is about dead ones. */
async function onlyDead(inspect: Inspect, ids: readonly string[]): Promise<string[]> {
  const found = await Promise.all(ids.map((id) => inspect.find(id)));
  return found.flatMap((job) => (job?.state === "dead" ? [job.id] : []));
}

async function idsOf(inspect: Inspect, chosen: JobSelection): Promise<string[]> {
  const ids: string[] = [];
  for await (const job of listJobs(inspect, chosen)) ids.push(job.id);
  return ids;
}

const BATCH = 500;

async function inBatches(ids: readonly string[], run: (batch: string[]) => Promise<string[]>): Promise<string[]> {
  const done: string[] = [];
  for (let from = 0; from < ids.length; from += BATCH) done.push(...(await run(ids.slice(from, from + BATCH))));
  return done;
}
