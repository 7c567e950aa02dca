import { type Command, Option } from "commander";
import { type NamedSetting, SETTINGS } from "../config/schema.js";

/** The parts of the schema that a command has flags for. */
export type SettingGroup = "app" | "defaults" | "worker";

/** Adds a flag for every setting of the groups, so that what the schema has, the command line has. */
export function addSettingFlags(command: Command, groups: readonly SettingGroup[]): void {
  for (const setting of SETTINGS) {
    if (!groups.includes(groupOf(setting))) continue;
    command.addOption(new Option(`${setting.flag} ${setting.type.placeholder}`, helpText(setting)));
  }
}

/** The flags that were given to a command or to those above it, as text by flag, for `resolveSettings`. */
export function collectSettingFlags(command: Command): Record<string, string> {
  const flags = command.parent === null ? {} : collectSettingFlags(command.parent);
  for (const option of command.options) {
    const value: unknown = command.getOptionValue(option.attributeName());
    const known = SETTINGS.some((setting) => setting.flag === option.long);
    if (known && option.long && typeof value === "string") flags[option.long] = value;
  }
  return flags;
}

function groupOf(setting: NamedSetting): SettingGroup {
  if (setting.path.startsWith("worker.")) return "worker";
  return setting.path.startsWith("defaults.") ? "defaults" : "app";
}

function helpText(setting: NamedSetting): string {
  return `${setting.description} [${setting.env}, default: ${defaultText(setting)}]`;
}

/** A setting's default for people. */
export function defaultText(setting: NamedSetting): string {
  if (setting.defaultText !== undefined) return setting.defaultText;
  return typeof setting.default === "string" ? setting.default : JSON.stringify(setting.default);
}
