import type { Command } from "commander";
import {
  type Check,
  type ChosenSetting,
  checkInstallation,
  checkPlaces,
  checkSchemas,
  checkWorkers,
  chosenSettings,
} from "../checks.js";
import { EXIT } from "../failure.js";
import { examples } from "../help.js";
import { type AppOptions, addAppOption, withSession } from "../session.js";
import { printJson, showValue } from "../show.js";
import { table } from "../table.js";
import type { Terminal } from "../terminal.js";

/** `taskwright doctor`: what is installed, which settings are in force and why, and whether the broker answers. */
export function addDoctorCommand(program: Command, terminal: Terminal): void {
  const command = program
    .command("doctor")
    .description("Check versions, client libraries, settings and connections. Exits with 1 when something is wrong.")
    .addHelpText(
      "after",
      examples(
        ["taskwright doctor", "with the settings of this folder"],
        ["taskwright doctor --app tasks.ts", "with those of an app"],
        ["taskwright doctor --broker sqlite:./other.db --json", "another broker, for scripts"],
      ),
    );
  addAppOption(command).action(() => examine(command, terminal));
}

async function examine(command: Command, terminal: Terminal): Promise<void> {
  const { json } = command.optsWithGlobals<AppOptions>();
  await withSession(command, async (session) => {
    const checks = [...(await checkInstallation()), ...(await checkSchemas(session))];
    // Without its tables no place can be opened, and the check of the schema has said so.
    if (checks.every(({ name, status }) => name !== "schema" || status === "ok"))
      checks.push(...(await checkPlaces(session)));
    if (checks.every(({ status }) => status !== "problem")) checks.push(...(await checkWorkers(session)));
    const settings = chosenSettings(session.settings);
    const ok = checks.every(({ status }) => status !== "problem");
    if (json) printJson(terminal, { ok, checks, settings });
    else terminal.print([layOut(checks, terminal), layOutSettings(settings), verdict(checks)].join("\n\n"));
    if (!ok) process.exitCode = EXIT.failed;
  });
}

function layOut(checks: readonly Check[], { style }: Terminal): string {
  const marks = { ok: style.green("ok"), warning: style.yellow("warning"), problem: style.red("problem") };
  return table(
    [{ heading: "CHECK" }, { heading: "STATUS" }, { heading: "" }],
    checks.map(({ name, status, detail }) => [name, marks[status], detail]),
  );
}

function layOutSettings(settings: readonly ChosenSetting[]): string {
  if (settings.length === 0) return "All settings are at their defaults.";
  return table(
    [{ heading: "SETTING" }, { heading: "VALUE" }, { heading: "FROM" }],
    settings.map(({ setting, value, from }) => [setting, showValue(value), from]),
  );
}

function verdict(checks: readonly Check[]): string {
  const problems = checks.filter(({ status }) => status === "problem").length;
  if (problems > 0) return `${problems} ${problems === 1 ? "problem" : "problems"} to solve.`;
  return checks.some(({ status }) => status === "warning") ? "It works; see the warnings." : "All is well.";
}
