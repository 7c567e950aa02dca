/**
 * Writes docs/configuration.md from the schema of the settings and the commands of the command line.
 *
 *   jiti scripts/generate-configuration-docs.ts               writes it
 *   jiti scripts/generate-configuration-docs.ts --check       fails if it is not fresh
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Command } from "commander";
import { EXIT_CODES } from "../src/cli/failure.js";
import { createProgram } from "../src/cli/program.js";
import { defaultText } from "../src/cli/setting-flags.js";
import { type NamedSetting, SETTINGS } from "../src/config/schema.js";
import { ROOT } from "./shell.js";

const FILE = join(ROOT, "docs", "configuration.md");

const INTRODUCTION = `# Configuration

<!-- Written by scripts/generate-configuration-docs.ts from src/config/schema.ts: change those, not this. -->

Every setting has one name in configuration files and code, one environment variable and one command line flag. They come
in layers, and the later one wins:

1. the defaults below,
2. a configuration file,
3. environment variables,
4. code: \`new Taskwright({ ... })\`, and \`app.worker({ ... })\` for one worker,
5. command line flags.

Every value is validated in every layer, even where a stronger layer hides it. An unknown setting is an error that names
the nearest right one, and a wrong value is an error that names the setting, where it came from and what would be right.
\`taskwright doctor\` shows which layer decided each setting. Secrets in URLs are masked wherever they are shown.

Durations are milliseconds or text such as \`"500ms"\`, \`"10s"\`, \`"5m"\`, \`"2h"\`, \`"1d"\`.

## The configuration file

The nearest \`taskwright.config.ts\`, \`.mts\`, \`.js\`, \`.mjs\` or \`.json\`, from the current folder up to the root of its
package; \`--config FILE\` names another. TypeScript needs no build step.

\`\`\`ts
import type { TaskwrightConfig } from "taskwright";

export default {
  broker: "sqlite:./jobs.db",
  defaults: { attempts: 5, timeout: "10m" },
  worker: { queues: { mail: 5, default: 1 }, concurrency: 50 },
} satisfies TaskwrightConfig;
\`\`\`
`;

const GROUPS: readonly (readonly [title: string, text: string, prefix: RegExp])[] = [
  ["The app", "", /^[^.]+$/],
  [
    "Defaults for tasks and jobs",
    "A task's own options are stronger, and those of `task.with({ ... })` stronger still.",
    /^defaults\./,
  ],
  ["Celery", 'With `protocol: "celery"`; see [Celery](celery.md).', /^celery\./],
  ["Workers", "Also the options of `app.worker({ ... })`, there without the `worker.` before them.", /^worker\./],
];

function settingsSection([title, text, prefix]: (typeof GROUPS)[number]): string {
  const settings = SETTINGS.filter((setting) => prefix.test(setting.path));
  return [`## ${title}`, ...(text === "" ? [] : [text]), ...settings.map(describe)].join("\n\n");
}

function describe(setting: NamedSetting): string {
  return [
    `### \`${setting.path}\`\n`,
    `${setting.description}\n`,
    `- Value: ${escapeHtml(setting.type.expected)}`,
    `- Default: ${setting.defaultText === undefined ? `\`${defaultText(setting)}\`` : escapeHtml(setting.defaultText)}`,
    `- Flag: \`${setting.flag} ${setting.type.placeholder}\``,
    `- Environment: \`${setting.env}\``,
  ].join("\n");
}

function escapeHtml(text: string): string {
  return text.replace(/[<>]/g, (character) => (character === "<" ? "&lt;" : "&gt;"));
}

const ENVIRONMENT = `## Environment variables in general

An empty variable counts as unset. Variables that begin with \`TASKWRIGHT_\` and look like a misspelt setting are errors;
others are left alone, because Kubernetes sets \`TASKWRIGHT_PORT\` and the like for a service of that name. \`NO_COLOR\`
turns colours off, \`FORCE_COLOR\` turns them on where there is no terminal.

\`\`\`sh
TASKWRIGHT_BROKER=sqlite:/var/lib/shop/jobs.db
TASKWRIGHT_BROKER="redis://shop:s3cret@redis.example.com:6379/0?prefix=shop"
TASKWRIGHT_BROKER="redis+sentinel://10.0.0.1,10.0.0.2,10.0.0.3/mymaster"
TASKWRIGHT_BROKER="redis+cluster://10.0.0.1,10.0.0.2?prefix=shop" TASKWRIGHT_CONCURRENCY=50 npx taskwright worker tasks.ts
\`\`\`

All forms of the URLs are in [drivers](drivers.md).`;

function commandsSection(): string {
  const rows = createProgram(silent).commands.flatMap(commandRows);
  return [
    "## The command line",
    "`taskwright <command> --help` shows a command's flags and examples. Flags of settings are the strongest layer.",
    ["| command | what it does |", "| --- | --- |", ...rows].join("\n"),
    `Results go to stdout; logs, banners and errors to stderr. With \`--json\` every command writes one JSON document to
stdout (an array where there may be many), except \`worker\`, which writes its log as JSON, one document a line.`,
    "### Exit codes",
    ["| code | meaning |", "| --- | --- |", ...EXIT_CODES.map(([code, meaning]) => `| ${code} | ${meaning} |`)].join(
      "\n",
    ),
  ].join("\n\n");
}

function commandRows(command: Command): string[] {
  const children = command.commands.flatMap(commandRows);
  return [`| \`${fullName(command)}\` | ${command.description()} |`, ...children];
}

function fullName(command: Command): string {
  const parent = command.parent === null ? "" : `${fullName(command.parent)} `;
  const args = command.registeredArguments.map((argument) => {
    const name = `${argument.name()}${argument.variadic ? "..." : ""}`;
    return argument.required ? ` <${name}>` : ` [${name}]`;
  });
  return `${parent}${command.name()}${args.join("")}`;
}

const identity = (text: string) => text;
const style = { bold: identity, dim: identity, red: identity, green: identity, yellow: identity, cyan: identity };
const silent = { style, errorStyle: style, print() {}, printError() {} };

const fresh = `${[INTRODUCTION.trimEnd(), ...GROUPS.map(settingsSection), ENVIRONMENT, commandsSection()].join("\n\n")}\n`;
if (!process.argv.includes("--check")) await writeFile(FILE, fresh);
else if (fresh !== (await readFile(FILE, "utf8").catch(() => ""))) {
  console.error(
    "docs/configuration.md does not say what the schema says: run `npx jiti scripts/generate-configuration-docs.ts`",
  );
  process.exitCode = 1;
}
