import type { Command } from "commander";
import type { SendOptions } from "../../app.js";
import type { Job } from "../../job/handle.js";
import type { Labels } from "../../job/options.js";
import { findTask } from "../find-task.js";
import { examples } from "../help.js";
import { type AppOptions, addAppOption, type Session, withSession } from "../session.js";
import { printJson, showValue } from "../show.js";
import type { Terminal } from "../terminal.js";
import { parseArgument, parseInstant, parseInteger, parseLabel, parseList, parseRecord } from "../values.js";

interface EnqueueOptions extends AppOptions {
  readonly args?: readonly unknown[];
  readonly kwargs?: Readonly<Record<string, unknown>>;
  readonly queue?: string;
  readonly priority?: number;
  readonly delay?: string;
  readonly at?: Date;
  readonly expires?: string;
  readonly attempts?: number;
  readonly timeout?: string;
  readonly id?: string;
  readonly label?: Labels;
  readonly wait?: string | true;
}

/** `taskwright enqueue`: sends one job, by name; with `--app` checked against the task's own code. */
export function addEnqueueCommand(program: Command, terminal: Terminal): void {
  const command = program
    .command("enqueue")
    .description("Enqueue one job and print its id.")
    .argument("<task>", "the task's name")
    .argument("[args...]", "its arguments: JSON values, or else text")
    .option("--args <json>", "all arguments as one JSON list", parseList)
    .option("--kwargs <json>", "keyword arguments as a JSON object, for tasks in Python", parseRecord)
    .option("--queue <name>", "the queue [default: the task's, or that of the settings]")
    .option("--priority <number>", "0 to 9, higher first", parseInteger(0))
    .option("--delay <duration>", "run no sooner than this long from now")
    .option("--at <time>", "run no sooner than this moment, such as 2027-01-01T08:00:00Z", parseInstant)
    .option("--expires <duration>", "start no run of it later than this")
    .option("--attempts <number>", "total runs, the first included", parseInteger(1))
    .option("--timeout <duration>", "the longest one attempt may take")
    .option("--id <id>", "your own id; enqueueing it again changes nothing")
    .option("--label <name=value>", "metadata that travels with the job (repeatable)", parseLabel)
    .option("--wait [duration]", "wait for the result and print it, for no longer than the duration if one is given")
    .addHelpText(
      "after",
      examples(
        ["taskwright enqueue add 1 2 --app tasks.ts --wait", "enqueue and print 3"],
        ['taskwright enqueue mail.send \'{"to": "me"}\' --delay 5m', "by name, with no code here"],
        ["taskwright enqueue proj.add --args '[1, 2]' --queue celery", "arguments as JSON"],
        ["taskwright enqueue report --id report-7 --label tenant=a", "once, however often it is called"],
      ),
    );
  addAppOption(command).action((name: string, args: string[]) => enqueue(command, name, args, terminal));
}

async function enqueue(command: Command, name: string, words: readonly string[], terminal: Terminal): Promise<void> {
  const options = command.optsWithGlobals<EnqueueOptions>();
  const args = options.args ?? words.map(parseArgument);
  await withSession(command, async (session) => {
    if (options.app !== undefined) findTask(session.app, name);
    const job = await session.app.send(name, { ...jobOptions(options), args });
    if (options.wait === undefined) return report(job, options, terminal);
    await warnOfNoWorker(job, session, terminal);
    await printResult(job, options, terminal);
  });
}

function jobOptions(options: EnqueueOptions): SendOptions {
  const { kwargs, queue, priority, delay, at, expires, attempts, timeout, id, label } = options;
  const given = { kwargs, queue, priority, delay, at, expires, attempts, timeout, id, labels: label };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

function report(job: Job<unknown>, { json }: EnqueueOptions, terminal: Terminal): void {
  if (json) printJson(terminal, { id: job.id, duplicate: job.duplicate });
  else terminal.print(job.id);
  if (job.duplicate && !json) terminal.printError("a job with this id exists already: nothing was enqueued");
}

/** Whoever waits for nobody should know. Workers of Celery and of queues in other places are not seen from here. */
async function warnOfNoWorker({ id }: Job<unknown>, { app, settings }: Session, terminal: Terminal): Promise<void> {
  if (settings.protocol === "celery" || Object.keys(settings.queuePlaces).length > 0) return;
  if ((await app.inspect.outcome(id)) !== undefined || (await app.inspect.workers()).length > 0) return;
  terminal.printError("waiting, but no worker is running: start one with `taskwright worker <module>`");
}

async function printResult(job: Job<unknown>, { json, wait }: EnqueueOptions, terminal: Terminal): Promise<void> {
  const result = await job.result(typeof wait === "string" ? { timeout: wait } : {});
  if (json) printJson(terminal, { id: job.id, duplicate: job.duplicate, result });
  else if (result !== undefined) terminal.print(showValue(result));
}
