import { Command, CommanderError } from "commander";
import { addDeadCommand } from "./commands/dead.js";
import { addDoctorCommand } from "./commands/doctor.js";
import { addEnqueueCommand } from "./commands/enqueue.js";
import { addJobsCommand } from "./commands/jobs.js";
import { addMigrateCommand } from "./commands/migrate.js";
import { addPurgeCommand } from "./commands/purge.js";
import { addQueuesCommand } from "./commands/queues.js";
import { addRunCommand } from "./commands/run.js";
import { addTasksCommand } from "./commands/tasks.js";
import { addWorkerCommand } from "./commands/worker.js";
import { EXIT, EXIT_CODES, exitCodeOf, printFailure } from "./failure.js";
import { examples } from "./help.js";
import { addSettingFlags } from "./setting-flags.js";
import { processTerminal, type Terminal } from "./terminal.js";
import { VERSION } from "./version.js";

/** Adds a command to the program. The command writes through the terminal and throws what goes wrong. */
export type AddCommand = (program: Command, terminal: Terminal) => void;

const COMMANDS: readonly AddCommand[] = [
  addWorkerCommand,
  addTasksCommand,
  addRunCommand,
  addEnqueueCommand,
  addJobsCommand,
  addQueuesCommand,
  addDeadCommand,
  addPurgeCommand,
  addMigrateCommand,
  addDoctorCommand,
];

/** Runs the command line, and answers with the exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  const terminal = processTerminal();
  try {
    await createProgram(terminal).parseAsync([...argv]);
    return Number(process.exitCode ?? EXIT.ok);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    printFailure(error, terminal, argv.includes("--debug"));
    return exitCodeOf(error);
  }
}

/** Every command with its flags and help. */
export function createProgram(terminal: Terminal): Command {
  const program = new Command("taskwright")
    .description("Task queues on what you already have.")
    .version(VERSION, "--version", "print the version")
    .option("--json", "write JSON, for scripts")
    .option("--debug", "show the stack traces of errors")
    .option("--config <file>", "the configuration file [default: the nearest taskwright.config.{ts,mts,js,mjs,json}]")
    .addHelpText("after", () =>
      examples(
        ["taskwright worker tasks.ts", "run the tasks of a module"],
        ["taskwright enqueue add 1 2 --app tasks.ts --wait", "enqueue a job and print its result"],
        ["taskwright queues", "what waits, runs and died"],
        ["taskwright doctor", "check the installation and the broker"],
      ),
    )
    .addHelpText("after", exitCodeHelp());
  addSettingFlags(program, ["app"]);
  configureCommand(program);
  for (const add of COMMANDS) add(program, terminal);
  for (const command of descendants(program)) configureCommand(command);
  return program;
}

function exitCodeHelp(): string {
  return `\nExit codes:\n${EXIT_CODES.map(([code, meaning]) => `  ${code.padEnd(8)}  ${meaning}`).join("\n")}`;
}

function descendants(command: Command): Command[] {
  return command.commands.flatMap((child) => [child, ...descendants(child)]);
}

/** Errors in one line, with the nearest right name in it, and thrown rather than ended by commander. */
function configureCommand(command: Command): void {
  command
    .exitOverride()
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      outputError: (text, write) =>
        write(
          `${text
            .trim()
            .replace(/\n\(Did you mean (.*)\?\)$/, ": did you mean $1?")
            .replace(/^error: unknown command '[^']*'$/, '$&: see "taskwright --help"')}\n`,
        ),
    });
}
