import { maskUrl } from "../../config/mask.js";
import { suggestion, unknownKey } from "../../config/nearest.js";
import { ConfigError } from "../../job/errors.js";

/** @throws {ConfigError} naming the option that is not known, and the one that was probably meant. */
export function assertOptionNames(options: object, names: readonly string[], where: string): void {
  for (const key of Object.keys(options)) {
    if (!names.includes(key)) throw new ConfigError(unknownKey("option", key, names, where));
  }
}

/**
 * What stands behind the `?` of a URL, by name.
 *
 * @param where - For the reader: `"the redis URL"`.
 * @throws {ConfigError} when a name is not one of `names`.
 */
export function readQuery<Name extends string>(
  search: string,
  names: readonly Name[],
  where: string,
  url: string,
): Partial<Record<Name, string>> {
  const values: Partial<Record<Name, string>> = {};
  for (const [key, value] of new URLSearchParams(search)) {
    // The end of a password with a question mark.
    if (key.includes("@")) throw new ConfigError(`"${maskUrl(url)}" is not well encoded: write a question mark as %3F`);
    const name = names.find((one) => one === key);
    if (name === undefined) throw new ConfigError(unknownKey("option", key, names, where));
    values[name] = value;
  }
  return values;
}

/** @throws {ConfigError} when it is not a whole number in the range. */
export function checkWholeNumber(name: string, value: number, least: number, most: number): number {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return value;
  throw new ConfigError(`${name} cannot be ${value}: a whole number from ${least} to ${most}`);
}

/** @throws {ConfigError} when it is none of them, naming the nearest. */
export function oneOf<Choice extends string>(name: string, value: unknown, choices: readonly Choice[]): Choice {
  const found = choices.find((choice) => choice === value);
  if (found === undefined) throw new ConfigError(`${name} cannot be "${value}"${suggestion(String(value), choices)}`);
  return found;
}

/** A flag of a URL's query. */
export function readFlag(name: string, text: string): boolean {
  if (text === "true" || text === "false") return text === "true";
  throw new ConfigError(`${name} cannot be "${text}": write true or false`);
}
