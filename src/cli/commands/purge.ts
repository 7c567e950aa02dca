import { type Command, Option } from "commander";
import { suggestion } from "../../config/nearest.js";
import type { QueuedState, QueueSummary } from "../../contracts/index.js";
import { CliError, EXIT } from "../failure.js";
import { examples } from "../help.js";
import { type AppOptions, addAppOption, withSession } from "../session.js";
import { printJson } from "../show.js";
import type { Terminal } from "../terminal.js";

interface PurgeOptions extends AppOptions {
  readonly yes?: true;
  readonly state?: readonly QueuedState[];
}

const STATES: readonly QueuedState[] = ["waiting", "scheduled", "retrying", "dead"];
const DEFAULT_STATES: readonly QueuedState[] = ["waiting", "scheduled", "retrying"];

/** `taskwright purge`: empties a queue. */
export function addPurgeCommand(program: Command, terminal: Terminal): void {
  const command = program
    .command("purge")
    .description("Delete the jobs of a queue that are not running. Dead letters stay unless asked for.")
    .argument("<queue>", "the queue's name")
    .addOption(new Option("--state <state...>", "only jobs in these states").choices(STATES))
    .option("--yes", "do it; without, it only says what would be deleted")
    .addHelpText(
      "after",
      examples(
        ["taskwright purge mail", "say what would be deleted"],
        ["taskwright purge mail --yes", "delete what waits, is scheduled or to be retried"],
        ["taskwright purge mail --state dead --yes", "delete the dead letters"],
      ),
    );
  addAppOption(command).action((queue: string) => purge(command, queue, terminal));
}

async function purge(command: Command, queue: string, terminal: Terminal): Promise<void> {
  const { yes, state: states = DEFAULT_STATES, json } = command.optsWithGlobals<PurgeOptions>();
  await withSession(command, async ({ app }) => {
    const summary = findQueue(await app.inspect.queues(), queue);
    if (!yes) throw new CliError(`${whatGoes(summary, states)}: add --yes to do it`);
    const deleted = await app.inspect.purge(queue, states);
    if (json) printJson(terminal, { queue, states, deleted });
    else terminal.print(`deleted ${deleted} ${deleted === 1 ? "job" : "jobs"} of ${queue}`);
  });
}

function findQueue(queues: readonly QueueSummary[], name: string): QueueSummary {
  const found = queues.find(({ queue }) => queue === name);
  if (found !== undefined) return found;
  throw new CliError(
    `there are no jobs in a queue "${name}"${suggestion(
      name,
      queues.map(({ queue }) => queue),
    )}`,
    EXIT.notFound,
  );
}

function whatGoes({ queue, counts }: QueueSummary, states: readonly QueuedState[]): string {
  return `this deletes from queue "${queue}": ${states.map((state) => `${counts[state] ?? "unknown"} ${state}`).join(", ")}`;
}
