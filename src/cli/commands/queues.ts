import type { Command } from "commander";
import type { QueuedState, QueueSummary } from "../../contracts/index.js";
import { onGroup } from "../groups.js";
import { examples } from "../help.js";
import { type AppOptions, addAppOption, withSession } from "../session.js";
import { printJson, roughly } from "../show.js";
import { plain, table } from "../table.js";
import type { Terminal } from "../terminal.js";

/** `taskwright queues`: how much is in each, and pausing them. */
export function addQueuesCommand(program: Command, terminal: Terminal): void {
  const group = program
    .command("queues")
    .description("List the queues with how many jobs are in each state, and how long the oldest has waited.")
    .addHelpText(
      "after",
      examples(
        ["taskwright queues", "a table"],
        ["taskwright queues pause mail", "accept jobs but run none"],
        ["taskwright queues resume mail", "go on"],
        ["taskwright queues --json", "for scripts; ages in ms"],
      ),
    );
  onGroup(addAppOption(group), () => list(group, terminal));
  for (const verb of ["pause", "resume"] as const) {
    const does =
      verb === "pause" ? "Stop all workers from claiming jobs of queues." : "Let workers claim from queues again.";
    const command = group.command(verb).description(does).argument("<queues...>", "their names");
    command.action((queues: string[]) => change(command, verb, queues, terminal));
  }
}

async function list(command: Command, terminal: Terminal): Promise<void> {
  const { json } = command.optsWithGlobals<AppOptions>();
  await withSession(command, async ({ app }) => {
    const queues = await app.inspect.queues();
    if (json) printJson(terminal, queues.map(toJson));
    else if (queues.length === 0) terminal.printError("no queues: nothing waits, runs or died");
    else terminal.print(layOut(queues, terminal));
  });
}

const COUNTS: readonly QueuedState[] = ["waiting", "scheduled", "retrying", "active", "dead"];

function layOut(queues: readonly QueueSummary[], { style }: Terminal): string {
  const now = Date.now();
  return table(
    [
      { heading: "QUEUE" },
      ...COUNTS.map((state) => ({ heading: state.toUpperCase(), align: "right" as const })),
      { heading: "OLDEST", align: "right" },
      { heading: "" },
    ],
    queues.map(({ queue, counts, oldestWaiting, paused }) => [
      plain(queue),
      ...COUNTS.map((state) => showCount(state, counts[state], style)),
      oldestWaiting === undefined ? "-" : roughly(Math.max(0, now - oldestWaiting)),
      paused ? style.yellow("paused") : "",
    ]),
  );
}

function showCount(state: QueuedState, count: number | undefined, style: Terminal["style"]): string {
  if (count === undefined) return "?";
  return state === "dead" && count > 0 ? style.red(String(count)) : String(count);
}

function toJson({ queue, paused, counts, oldestWaiting }: QueueSummary): Record<string, unknown> {
  const oldestAge = oldestWaiting === undefined ? null : Math.max(0, Date.now() - oldestWaiting);
  return { queue, paused, ...counts, oldestAge };
}

async function change(
  command: Command,
  verb: "pause" | "resume",
  queues: readonly string[],
  terminal: Terminal,
): Promise<void> {
  const { json } = command.optsWithGlobals<AppOptions>();
  await withSession(command, async ({ app }) => {
    for (const queue of queues) await app.inspect[verb](queue);
    if (json)
      printJson(
        terminal,
        queues.map((queue) => ({ queue, paused: verb === "pause" })),
      );
    else for (const queue of queues) terminal.print(`${queue} ${verb}d`);
  });
}
