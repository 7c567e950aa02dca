/**
 * Writes the driver matrix of the README from the drivers' `Capabilities`.
 *
 *   jiti scripts/driver-matrix.ts            writes it
 *   jiti scripts/driver-matrix.ts --check    fails if it is not fresh
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Capabilities, Driver } from "../src/contracts/index.js";
import { DRIVER_SCHEMES, driverFromUrl } from "../src/drivers/index.js";
import { ROOT } from "./shell.js";

const README = join(ROOT, "README.md");
const BEGIN = "<!-- driver matrix: written by npm run generate -->";
const END = "<!-- end of driver matrix -->";

/** What each capability is called in the README, in the order of the table. */
const TITLES: Readonly<Record<keyof Capabilities, string>> = {
  durability: "acknowledged jobs survive",
  shared: "other processes see the same jobs",
  priority: "priorities 0..9",
  fifo: "oldest first within a priority",
  delay: "delays and times of any length",
  idempotentIds: "ids of your own make a job unique",
  cancel: "cancel waiting and active jobs",
  leases: "jobs of a dead worker come back",
  pipelining: "enqueues need not wait for each other",
  atomicOutcomes: "job and result settled in one step",
  transactions: "enqueue and complete inside your transaction",
  inspect: "count, list, retry, discard, pause",
  deadLetters: "list, retry and discard dead letters",
  push: "new work and results without polling",
  broadcast: "broadcast to every live worker",
};

const WORDS: Readonly<Record<string, string>> = {
  true: "yes",
  false: "no",
  process: "nothing: they live in the process",
  "server-memory": "a crash of every client; of the server as it is set up",
  disk: "a crash of the machine",
  timed: "when their lease has passed",
  connection: "as soon as its connection closes",
};

/** Where "no" would not be all: what the core does for drivers that cannot. */
const UNLESS: Partial<Record<keyof Capabilities, string>> = { idempotentIds: "with a `backend`" };

/** What must stand behind the host: a database. */
const SAMPLE_PATHS: Readonly<Record<string, string>> = { mysql: "jobs", mariadb: "jobs" };

/** A URL of each scheme that can be parsed; nothing is connected to. */
function sampleUrl(scheme: string): string {
  return (
    { memory: "memory:", sqlite: "sqlite:./taskwright.db" }[scheme] ??
    `${scheme}://localhost/${SAMPLE_PATHS[scheme] ?? ""}`
  );
}

/** Each driver once, in the order of the schemes. One with a plus, such as `redis+cluster`, is another way to a driver. */
async function allDrivers(): Promise<Driver[]> {
  const drivers = new Map<string, Driver>();
  for (const scheme of DRIVER_SCHEMES.filter((scheme) => !scheme.includes("+"))) {
    const driver = await driverFromUrl(sampleUrl(scheme));
    drivers.set(driver.name, driver);
  }
  return [...drivers.values()];
}

function cell(key: keyof Capabilities, value: string | boolean): string {
  return (value === false ? UNLESS[key] : undefined) ?? WORDS[String(value)] ?? String(value);
}

async function matrix(): Promise<string> {
  const drivers = await allDrivers();
  const keys = Object.keys(TITLES) as (keyof Capabilities)[];
  const rows = keys.map((key) => [TITLES[key], ...drivers.map(({ capabilities }) => cell(key, capabilities[key]))]);
  const table = [["", ...drivers.map((driver) => driver.name)], ["---", ...drivers.map(() => "---")], ...rows];
  return table.map((row) => `| ${row.join(" | ")} |`).join("\n");
}

const readme = await readFile(README, "utf8");
const [begin, end] = [readme.indexOf(BEGIN), readme.indexOf(END)];
if (begin < 0 || end < begin) throw new Error(`README.md lacks the lines "${BEGIN}" and "${END}"`);
const fresh = `${readme.slice(0, begin + BEGIN.length)}\n${await matrix()}\n${readme.slice(end)}`;
if (!process.argv.includes("--check")) await writeFile(README, fresh);
else if (fresh !== readme) {
  console.error("the driver matrix in README.md does not say what the drivers claim: run `npm run generate`");
  process.exitCode = 1;
}
