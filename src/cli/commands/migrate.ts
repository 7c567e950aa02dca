import { type Command, Option } from "commander";
import { type MigrationReport, placesOf } from "../../migrate.js";
import { examples } from "../help.js";
import { type AppOptions, addAppOption, type Session, withSession } from "../session.js";
import { printJson } from "../show.js";
import type { Terminal } from "../terminal.js";

interface MigrateFlags extends AppOptions {
  readonly print?: true;
  readonly dryRun?: true;
}

/** `taskwright migrate`: makes the tables that a driver needs, or says how. */
export function addMigrateCommand(program: Command, terminal: Terminal): void {
  const command = program
    .command("migrate")
    .description("Bring the schema of broker and backend to what this version needs. Running it again changes nothing.")
    .addOption(new Option("--print", "write the migrations as SQL scripts, and ask no server").conflicts("dryRun"))
    .option("--dry-run", "only list what is missing")
    .addHelpText(
      "after",
      examples(
        ["taskwright migrate", "apply what is missing"],
        ["taskwright migrate --dry-run", "list what is missing, and change nothing"],
        ["taskwright migrate --print > jobs.sql", "SQL for the migrations of Prisma, Drizzle or your own"],
        ["taskwright migrate --broker postgres://localhost/shop", "another database"],
      ),
    );
  addAppOption(command).action(() => migrate(command, terminal));
}

async function migrate(command: Command, terminal: Terminal): Promise<void> {
  const { print, dryRun = false, json = false } = command.optsWithGlobals<MigrateFlags>();
  await withSession(command, async (session) => {
    if (print) return printScripts(session, terminal, json);
    const reports = await session.app.migrate({ dryRun });
    if (json) printJson(terminal, reports.map(toJson));
    else for (const report of reports) terminal.print(describe(report, dryRun));
  });
}

/** Scripts to stdout, which may become a file; all else to stderr. */
async function printScripts({ settings }: Session, terminal: Terminal, json: boolean): Promise<void> {
  const places = await placesOf(settings);
  if (json) {
    const all = places.map(({ role, driver: { name, location, migrations = [] } }) => ({
      role,
      driver: name,
      location,
      migrations,
    }));
    return printJson(terminal, all);
  }
  for (const { driver } of places) {
    if (driver.migrations === undefined) terminal.printError(nothingToMigrate(driver.name));
  }
  const scripts = places.flatMap(({ driver }) => driver.migrations ?? []).map(({ sql }) => sql.trimEnd());
  // Broker and backend may be of one kind, in two databases.
  if (scripts.length > 0) terminal.print([...new Set(scripts)].join("\n\n"));
}

function describe(report: MigrationReport, dryRun: boolean): string {
  const { role, driver, location, known, applied, missing } = report;
  if (known === 0) return `${role}: ${nothingToMigrate(driver)}`;
  const changed = dryRun ? missing : applied;
  const place = `${role} ${location}`;
  if (changed.length === 0) return `${place}: up to date (${known} of ${known} migrations)`;
  const lines = changed.map(({ number, name }) => `  ${number} ${name}`);
  return [`${place}: ${dryRun ? "missing" : "applied"}`, ...lines].join("\n");
}

function nothingToMigrate(driver: string): string {
  return `the ${driver} driver has no migrations: there is nothing to apply`;
}

/** The scripts are what `--print` is for. */
function toJson({ role, driver, location, known, applied, missing }: MigrationReport): Record<string, unknown> {
  const names = (migrations: MigrationReport["applied"]) => migrations.map(({ number, name }) => ({ number, name }));
  return { role, driver, location, known, applied: names(applied), missing: names(missing) };
}
