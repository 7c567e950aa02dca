import type { Command } from "commander";
import { placeOf } from "../checks.js";
import { logEvents } from "../event-log.js";
import { CliError } from "../failure.js";
import { examples } from "../help.js";
import { createLogger, type LineLogger } from "../log.js";
import { type CommonOptions, openModules, type Session } from "../session.js";
import { addSettingFlags } from "../setting-flags.js";
import { superviseWorker } from "../supervise.js";
import type { Terminal } from "../terminal.js";
import { collect } from "../values.js";
import { VERSION } from "../version.js";

interface WorkerCommandOptions extends CommonOptions {
  readonly discover?: readonly string[];
}

/** `taskwright worker`: runs jobs until it is told to stop. */
export function addWorkerCommand(program: Command, terminal: Terminal): void {
  const command = program
    .command("worker")
    .description("Run the tasks of modules, TypeScript or JavaScript, with no build step.")
    .argument("[modules...]", "modules that export an app and tasks; module.ts#name chooses an app")
    .option("--discover <pattern>", 'load every module that matches, such as "src/**/*.tasks.ts" (repeatable)', collect)
    .addHelpText(
      "after",
      examples(
        ["taskwright worker tasks.ts", 'the app in tasks.ts, on the queue "default"'],
        ['taskwright worker app.ts --discover "src/**/*.tasks.ts"', "and the tasks of every such module"],
        ["taskwright worker tasks.ts --queues mail,default", 'drain "mail" first'],
        ["taskwright worker tasks.ts --queues mail=5,default=1", "share five to one"],
        ["taskwright worker tasks.ts --concurrency 10 --log-format json", "ten jobs at once, a JSON line an event"],
      ),
    )
    .addHelpText("after", SIGNALS);
  addSettingFlags(command, ["worker", "defaults"]);
  command.action((modules: string[]) => runWorker(command, modules, terminal));
}

const SIGNALS = `
Signals:
  The first SIGTERM or SIGINT stops claiming, lets running jobs finish within --grace, gives back the rest, and exits 0.
  A second one gives everything back and exits at once. Events are logged to stderr, one line each.`;

async function runWorker(command: Command, modules: readonly string[], terminal: Terminal): Promise<void> {
  const { discover = [], json, debug } = command.optsWithGlobals<WorkerCommandOptions>();
  if (modules.length + discover.length === 0) {
    throw new CliError('which tasks? Name a module, as in "taskwright worker tasks.ts", or use --discover');
  }
  const session = await openModules(command, { modules, discover });
  const { settings } = session;
  const logger = createLogger({
    level: settings.logLevel,
    format: json ? "json" : settings.logFormat,
    style: terminal.errorStyle,
    stacks: debug === true,
    write: (text) => void process.stderr.write(text),
  });
  session.app.configure({ logger });
  // Before the banner: an unreachable broker is one line, not a banner and a line.
  await session.app.connect();
  announce(session, json ? "json" : settings.logFormat, logger, terminal);
  logEvents(session.app, logger);
  process.exitCode = await superviseWorker(session.app, logger);
}

/** The banner, or in JSON logs a line with the same facts. */
function announce(session: Session, format: "pretty" | "json", logger: LineLogger, terminal: Terminal): void {
  const facts = describe(session);
  if (format === "json") {
    logger.info({ ...facts }, "taskwright worker");
    return;
  }
  const { bold, dim, cyan } = terminal.errorStyle;
  const lines = Object.entries(facts).map(([name, value]) => {
    const shown = Array.isArray(value) ? value.join(", ") : String(value);
    return `  ${dim(name.padEnd(11))}  ${shown}`;
  });
  terminal.printError([bold(cyan(`taskwright ${VERSION}`)), ...lines, ""].join("\n"));
}

function describe({ app, files, settings }: Session): Record<string, string | number | readonly string[]> {
  const { queues, order, concurrency } = settings.worker;
  const weighted = order === "weighted";
  const tasks = [...app.tasks.keys()].sort();
  return {
    broker: placeOf(settings.broker),
    backend: settings.backend === undefined ? "the broker" : placeOf(settings.backend),
    queues: queues.map((queue) => (weighted ? `${queue.name}=${queue.weight}` : queue.name)),
    concurrency,
    modules: files,
    tasks: tasks.length === 0 ? "none: jobs of unknown tasks go to the dead letters" : tasks,
    node: process.versions.node,
    pid: process.pid,
  };
}
