import type { Command } from "commander";
import type { DefaultsSettings } from "../../config/schema.js";
import { formatDuration } from "../../job/duration.js";
import { type AnyTask, DEFINITION } from "../../task.js";
import { CliError } from "../failure.js";
import { examples } from "../help.js";
import { type CommonOptions, openModules } from "../session.js";
import { printJson } from "../show.js";
import { table } from "../table.js";
import type { Terminal } from "../terminal.js";
import { collect } from "../values.js";

interface TasksOptions extends CommonOptions {
  readonly discover?: readonly string[];
  readonly app?: string;
}

/** `taskwright tasks`: what an app can run, without connecting anywhere. */
export function addTasksCommand(program: Command, terminal: Terminal): void {
  const command = program
    .command("tasks")
    .description("List the tasks of modules and how they run.")
    .argument("[modules...]", "modules that export an app and tasks")
    .option("--discover <pattern>", "load every module that matches (repeatable)", collect)
    .option("--app <module>", "the same as naming the module as an argument")
    .addHelpText(
      "after",
      examples(
        ["taskwright tasks tasks.ts", "names, queues, attempts and timeouts"],
        ['taskwright tasks --discover "src/**/*.tasks.ts" --json', "a JSON list"],
      ),
    );
  command.action((modules: string[]) => listTasks(command, modules, terminal));
}

async function listTasks(command: Command, modules: readonly string[], terminal: Terminal): Promise<void> {
  const { discover = [], app, json } = command.optsWithGlobals<TasksOptions>();
  const all = app === undefined ? modules : [app, ...modules];
  if (all.length + discover.length === 0)
    throw new CliError('which tasks? Name a module, as in "taskwright tasks tasks.ts"');
  const session = await openModules(command, { modules: all, discover });
  const tasks = [...session.app.tasks.values()].map((task) => describe(task, session.settings.defaults));
  tasks.sort((a, b) => (a.name < b.name ? -1 : 1));
  if (json) printJson(terminal, tasks);
  else terminal.print(tasks.length === 0 ? "no tasks" : layOut(tasks));
}

interface TaskInfo {
  readonly name: string;
  readonly queue: string;
  readonly priority: number;
  readonly attempts: number;
  readonly timeout: number | null;
}

function describe(task: AnyTask, defaults: DefaultsSettings): TaskInfo {
  const { queue, priority, attempts, timeout } = task[DEFINITION].options;
  return {
    name: task.name,
    queue: queue ?? defaults.queue,
    priority: priority ?? defaults.priority,
    attempts: attempts ?? defaults.attempts,
    timeout: timeout ?? defaults.timeout ?? null,
  };
}

function layOut(tasks: readonly TaskInfo[]): string {
  return table(
    [
      { heading: "TASK" },
      { heading: "QUEUE" },
      { heading: "PRIORITY", align: "right" },
      { heading: "ATTEMPTS", align: "right" },
      { heading: "TIMEOUT" },
    ],
    tasks.map((task) => [
      task.name,
      task.queue,
      String(task.priority),
      String(task.attempts),
      task.timeout === null ? "none" : formatDuration(task.timeout),
    ]),
  );
}
