import type { Command } from "commander";
import { unknownKey } from "../config/nearest.js";
import { CliError } from "./failure.js";

/**
 * Lets a command have both an action of its own, also called `list`, and subcommands: `taskwright jobs` and
 * `taskwright jobs show ID`. What is neither is an unknown subcommand, rather than an argument too many.
 */
export function onGroup(group: Command, action: () => Promise<void>): void {
  group.allowExcessArguments().action(async () => {
    const [word] = group.args;
    if (word === undefined || word === "list") return action();
    const known = group.commands.map((command) => command.name());
    throw new CliError(unknownKey("command", word, known, `taskwright ${group.name()}`));
  });
}
