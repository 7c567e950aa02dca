import type { Command } from "commander";
import { CliError } from "../failure.js";
import { findTask } from "../find-task.js";
import { examples } from "../help.js";
import { type AppOptions, addAppOption, withSession } from "../session.js";
import { printJson, showValue } from "../show.js";
import type { Terminal } from "../terminal.js";
import { parseArgument, parseList } from "../values.js";

interface RunOptions extends AppOptions {
  readonly args?: readonly unknown[];
}

/** `taskwright run`: one task, once, in this process; no job is enqueued. */
export function addRunCommand(program: Command, terminal: Terminal): void {
  const command = program
    .command("run")
    .description("Run one task here, once, without a queue, and print what it returns.")
    .argument("<task>", "the task's name")
    .argument("[args...]", "its arguments: JSON values, or else text")
    .option("--args <json>", "all arguments as one JSON list", parseList)
    .addHelpText(
      "after",
      examples(
        ["taskwright run add 1 2 --app tasks.ts", "prints 3"],
        ["taskwright run report --args '[{\"year\": 2026}]' --app tasks.ts", "arguments as JSON"],
      ),
    );
  addAppOption(command).action((name: string, args: string[]) => runTask(command, name, args, terminal));
}

async function runTask(command: Command, name: string, words: readonly string[], terminal: Terminal): Promise<void> {
  const { app: module, args, json } = command.optsWithGlobals<RunOptions>();
  if (module === undefined)
    throw new CliError(`where is the task? Add its module, as in "taskwright run ${name} --app tasks.ts"`);
  await withSession(command, async ({ app }) => {
    const task = findTask(app, name);
    if (!isCallable(task)) throw new CliError(`task "${name}" has no code here`);
    await app.openContext();
    const result = await task(...(args ?? words.map(parseArgument)));
    if (json) printJson(terminal, result);
    else if (result !== undefined) terminal.print(showValue(result));
  });
}

function isCallable(task: unknown): task is (...args: unknown[]) => unknown {
  return typeof task === "function";
}
