import { type Command, Option } from "commander";
import type { Taskwright } from "../../app.js";
import type { QueuedState } from "../../contracts/index.js";
import type { JobView } from "../../inspect/inspect.js";
import { NoResultError } from "../../job/errors.js";
import type { Outcome } from "../../job/outcome.js";
import { CliError, EXIT } from "../failure.js";
import { onGroup } from "../groups.js";
import { examples } from "../help.js";
import { firstJobs, jobToJson } from "../job-list.js";
import { describeAttempts, describeJob, showState, taskOf } from "../job-text.js";
import { type AppOptions, addAppOption, withSession } from "../session.js";
import { printJson, showAge, showArguments, showValue } from "../show.js";
import { properties, table } from "../table.js";
import type { Terminal } from "../terminal.js";
import { parseInteger } from "../values.js";

interface JobsOptions extends AppOptions {
  readonly state?: QueuedState;
  readonly queue?: string;
  readonly task?: string;
  readonly limit: number;
}

const STATES: readonly QueuedState[] = ["scheduled", "waiting", "active", "retrying", "dead"];

/** `taskwright jobs`: the jobs in the broker; one of them; and how to stop it. */
export function addJobsCommand(program: Command, terminal: Terminal): void {
  const group = program
    .command("jobs")
    .description("List the jobs in the broker. Finished ones have left it; their outcomes are shown by id.")
    .addOption(new Option("--state <state>", "only jobs in this state").choices(STATES))
    .option("--queue <name>", "only jobs of this queue")
    .option("--task <name>", "only jobs of this task")
    .option("--limit <number>", "at most this many", parseInteger(1), 50)
    .addHelpText(
      "after",
      examples(
        ["taskwright jobs --state retrying --queue mail", "what failed and runs again"],
        [
          "taskwright jobs show 0193b2c4-7d2e-7aaa-8a5e-1f0c7d1a2b3c",
          "one job: arguments, attempts, errors, result, log",
        ],
        ["taskwright jobs cancel 0193b2c4-7d2e-7aaa-8a5e-1f0c7d1a2b3c", "stop it, waiting or running"],
        ["taskwright jobs --json | jq '.[].id'", "for scripts"],
      ),
    );
  onGroup(addAppOption(group), () => list(group, terminal));
  const show = group.command("show").description("Show one job, or how it ended.").argument("<id>", "the job's id");
  show.action((id: string) => showJob(show, id, terminal));
  const cancel = group.command("cancel").description("Stop jobs that wait or run.").argument("<ids...>", "their ids");
  cancel.action((ids: string[]) => cancelJobs(cancel, ids, terminal));
}

async function list(command: Command, terminal: Terminal): Promise<void> {
  const { state, queue, task, limit, json } = command.optsWithGlobals<JobsOptions>();
  await withSession(command, async ({ app }) => {
    const { jobs, more } = await firstJobs(app.inspect, { state, queue, task }, limit);
    if (json) return printJson(terminal, jobs.map(jobToJson));
    if (jobs.length === 0) return terminal.printError("no jobs");
    terminal.print(layOut(jobs, terminal));
    if (more) terminal.printError(`and more: --limit shows more than ${limit}`);
  });
}

function layOut(jobs: readonly JobView[], { style }: Terminal): string {
  const now = Date.now();
  return table(
    ["JOB", "TASK", "QUEUE", "STATE", "ATTEMPT", "SINCE", "ARGUMENTS"].map((heading) => ({ heading })),
    jobs.map((job) => [
      job.id,
      taskOf(job),
      job.queue,
      showState(job.state, style),
      String(job.attempt),
      job.state === "active" ? (job.worker ?? "") : showAge(job.dueAt.getTime(), now),
      showArguments(job.message?.args),
    ]),
  );
}

async function showJob(command: Command, id: string, terminal: Terminal): Promise<void> {
  const { json } = command.optsWithGlobals<AppOptions>();
  await withSession(command, async ({ app }) => {
    const job = await app.inspect.find(id);
    const outcome = await outcomeOf(app, id);
    if (job === undefined && outcome === undefined) throw noJob(id);
    const told = await toldBy(app, id);
    if (json) return printJson(terminal, { ...(job ? jobToJson(job) : { id }), ...told, ...outcome });
    terminal.print(describe(id, job, outcome, told, terminal));
  });
}

function noJob(id: string): CliError {
  return new CliError(`there is no job ${id}, and no outcome of one is kept`, EXIT.notFound);
}

async function outcomeOf(app: Taskwright<unknown>, id: string): Promise<Outcome | undefined> {
  try {
    return await app.inspect.outcome(id);
  } catch (error) {
    if (error instanceof NoResultError) return undefined;
    throw error;
  }
}

interface Told {
  readonly progress?: unknown;
  readonly log?: readonly string[];
}

/** What the job said of itself, where a backend keeps that. */
async function toldBy(app: Taskwright<unknown>, id: string): Promise<Told> {
  try {
    const job = app.job(id);
    const [progress, log] = [await job.progress().last(), await job.logs()];
    return { ...(progress !== undefined && { progress }), ...(log.length > 0 && { log }) };
  } catch (error) {
    if (error instanceof NoResultError) return {};
    throw error;
  }
}

function describe(
  id: string,
  job: JobView | undefined,
  outcome: Outcome | undefined,
  told: Told,
  { style }: Terminal,
): string {
  const lines: [string, string][] = job ? describeJob(job, style, Date.now()) : [["job", style.bold(id)]];
  if (job === undefined && outcome)
    lines.push(["state", showState(outcome.state, style)], ["attempt", String(outcome.attempt)]);
  if (outcome?.state === "completed") lines.push(["result", showValue(outcome.value)]);
  else if (outcome) lines.push(["error", `${outcome.error.name}: ${outcome.error.message}`]);
  if (told.progress !== undefined) lines.push(["progress", showValue(told.progress)]);
  if (told.log) lines.push(["log", told.log.map(showValue).join("\n")]);
  const attempts = job?.attempts ?? outcome?.attempts ?? [];
  return [properties(lines), ...describeAttempts(attempts, style)].join("\n\n");
}

async function cancelJobs(command: Command, ids: readonly string[], terminal: Terminal): Promise<void> {
  const { json } = command.optsWithGlobals<AppOptions>();
  const words = { cancelled: "cancelled", requested: "is running and was told to stop", absent: "is not here" };
  await withSession(command, async ({ app }) => {
    const answers = await Promise.all(ids.map(async (id) => ({ id, status: await app.job(id).cancel() })));
    if (json) printJson(terminal, answers);
    else for (const { id, status } of answers) terminal.print(`${id} ${words[status]}`);
    if (answers.every(({ status }) => status === "absent")) process.exitCode = EXIT.notFound;
  });
}
