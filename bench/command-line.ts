import { suggestion, unknownKey } from "../src/config/nearest.js";
import type { Peer } from "./contestant.js";
import { BENCHED_DRIVERS, type BenchedDriver } from "./drivers.js";
import type { Trial } from "./measures/measure.js";
import { PEERS } from "./peers/index.js";

/** Ten minutes, after which what was not cleaned up shows. */
export const SECONDS = 600;

export const USAGE = `Measures a driver, and beside it a peer, on this machine.

  npm run bench -- <driver> [--peer NAME] [--measure NAMES] [--jobs N] [--seconds N] [--json]

  driver        ${BENCHED_DRIVERS.map(({ name }) => name).join(", ")}
  --peer NAME   only beside this peer; default: beside all of the driver (${PEERS.map(({ name }) => name).join(", ")})
  --measure NAMES
                only these, with commas between them; default: all of the driver but those that take long:
${BENCHED_DRIVERS.map(measuresOf).join("\n")}
  --jobs N      jobs a measure; default: ${BENCHED_DRIVERS.map(({ name, jobs }) => `${name} ${jobs}`).join(", ")}
  --seconds N   how long pinned-horizon takes; default: ${SECONDS}
  --json        one line of JSON an entry
  --help        this text

  npm run bench -- memory
  npm run bench -- sqlite --peer plainjob --json
  npm run bench -- redis --measure process,process-2-workers,process-4-workers`;

/** What was asked for. */
export interface Command {
  readonly driver: BenchedDriver;
  readonly peers: readonly Peer[];
  readonly trials: readonly Trial[];
  readonly jobs: number;
  readonly seconds: number;
  readonly json: boolean;
}

/** A mistake on the command line, told in one line. */
export class UsageError extends Error {}

const FLAGS = ["--peer", "--measure", "--jobs", "--seconds", "--json", "--help"];
const WITH_VALUE = ["--peer", "--measure", "--jobs", "--seconds"];

/**
 * @returns `"help"` where that is asked for.
 * @throws UsageError with the nearest right name.
 */
export function parseCommandLine(argv: readonly string[]): Command | "help" {
  const { words, flags } = split(argv);
  if (flags.has("--help")) return "help";
  const [name, ...rest] = words;
  if (name === undefined) throw new UsageError(`which driver? There are ${list(names(BENCHED_DRIVERS))}`);
  if (rest.length > 0) throw new UsageError(`one driver at a time: "${rest.join(" ")}" is too much`);
  const driver = BENCHED_DRIVERS.find((one) => one.name === name);
  if (driver === undefined) throw new UsageError(unknownKey("driver", name, names(BENCHED_DRIVERS)));
  const trials = trialsOf(driver, flags.get("--measure"));
  const peers = peersOf(driver, flags.get("--peer"));
  return {
    driver,
    peers: trials.every(({ oursOnly }) => oursOnly) ? [] : peers,
    trials,
    jobs: count("--jobs", flags.get("--jobs"), driver.jobs),
    seconds: count("--seconds", flags.get("--seconds"), SECONDS),
    json: flags.has("--json"),
  };
}

/** `--flag value`, `--flag=value` and words, in any order. */
function split(argv: readonly string[]): { readonly words: string[]; readonly flags: Map<string, string> } {
  const words: string[] = [];
  const flags = new Map<string, string>();
  const given = [...argv];
  for (let word = given.shift(); word !== undefined; word = given.shift()) {
    if (!word.startsWith("-")) {
      words.push(word);
      continue;
    }
    const [flag = "", inline] = word.split(/=(.*)/s);
    if (!FLAGS.includes(flag)) throw new UsageError(unknownKey("flag", flag, FLAGS));
    const takesValue = WITH_VALUE.includes(flag);
    if (!takesValue && inline !== undefined) throw new UsageError(`${flag} takes no value`);
    const value = takesValue ? (inline ?? given.shift()) : "";
    if (value === undefined) throw new UsageError(`${flag} needs a value`);
    flags.set(flag, value);
  }
  return { words, flags };
}

function peersOf(driver: BenchedDriver, wanted: string | undefined): readonly Peer[] {
  const peers = PEERS.filter(({ drivers }) => drivers.includes(driver.name));
  if (wanted === undefined) return peers;
  const peer = peers.find(({ name }) => name === wanted);
  if (peer !== undefined) return [peer];
  if (peers.length === 0) throw new UsageError(`${driver.name} has no peer: leave --peer away`);
  throw new UsageError(`${driver.name} has no peer "${wanted}"${suggestion(wanted, names(peers))}`);
}

function trialsOf({ trials, onRequest }: BenchedDriver, wanted: string | undefined): readonly Trial[] {
  if (wanted === undefined) return trials;
  const all = [...trials, ...onRequest];
  return wanted.split(",").map((name) => {
    const trial = all.find((one) => one.name === name);
    if (trial === undefined) throw new UsageError(unknownKey("measure", name, names(all)));
    return trial;
  });
}

function count(flag: string, text: string | undefined, usual: number): number {
  if (text === undefined) return usual;
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1)
    throw new UsageError(`${flag} is a whole number of at least 1, not "${text}"`);
  return number;
}

/** "a, b and c". */
function list(words: readonly string[]): string {
  return new Intl.ListFormat("en-GB").format(words);
}

/** A line of the usage text. */
function measuresOf({ name, trials, onRequest }: BenchedDriver): string {
  const long = onRequest.length === 0 ? "" : `; take long: ${names(onRequest).join(", ")}`;
  return `                ${name}: ${names(trials).join(", ")}${long}`;
}

function names(things: readonly { readonly name: string }[]): string[] {
  return things.map(({ name }) => name);
}
