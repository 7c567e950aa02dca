import { cpus, release, totalmem, type } from "node:os";
import manifest from "../package.json" with { type: "json" };
import { table } from "../src/cli/table.js";
import { type Command, SECONDS } from "./command-line.js";
import type { Peer } from "./contestant.js";
import type { Entry } from "./entries.js";
import { BENCH } from "./paths.js";
import { versionOf } from "./peers/load.js";

/** What a person reads at the end. */
export async function report(command: Command, entries: readonly Entry[]): Promise<string> {
  const { driver, peers, jobs } = command;
  const settings = [
    ["taskwright", driver.standard.settings],
    ...peers.map((peer) => [peer.name, peer.settings] as const),
    ...driver.variants.map((variant) => [`-${variant.name}`, variant.settings] as const),
  ];
  return [
    figures(entries),
    "",
    ...settings.map(([name, text]) => `${name}: ${text}`),
    ...(driver.describeServer === undefined ? [] : [await driver.describeServer()]),
    `${jobs} jobs a measure (200 for pickup and result), median of 3 rounds; ratio: how many times better ours is`,
    machine(),
    `taskwright ${manifest.version}, Node ${process.version}${versions(peers)}`,
    `again: ${againCommand(command)}`,
  ].join("\n");
}

function figures(entries: readonly Entry[]): string {
  const columns = [
    { heading: "measure" },
    { heading: "peer" },
    { heading: "ours", align: "right" },
    { heading: "theirs", align: "right" },
    { heading: "ratio", align: "right" },
    { heading: "unit" },
  ] as const;
  const rows = entries.map(({ measure, peer, ours, theirs, ratio, unit }) => [
    measure,
    peer ?? "",
    number(ours),
    number(theirs),
    ratio === null ? "" : `${ratio}x`,
    unit,
  ]);
  return table(columns, rows);
}

function number(value: number | null): string {
  return value === null ? "-" : value.toLocaleString("en-US", { maximumFractionDigits: 3 });
}

function machine(): string {
  const [first] = cpus();
  const memory = `${(totalmem() / 2 ** 30).toFixed(0)} GiB`;
  return `${cpus().length} x ${first?.model.trim() ?? "unknown processor"}, ${memory}, ${type()} ${release()}`;
}

function versions(peers: readonly Peer[]): string {
  const packages = [...new Set(peers.flatMap((peer) => peer.packages))].map((name) => [name, versionOf(name, BENCH)]);
  const others = peers.flatMap(({ name, version }) => (version === undefined ? [] : [[name, version()]]));
  return [...packages, ...others].map(([name, version]) => `, ${name} ${version}`).join("");
}

function againCommand({ driver, peers, trials, jobs, seconds }: Omit<Command, "json">): string {
  const [peer, ...others] = peers;
  const beside = peer === undefined || others.length > 0 ? "" : ` --peer ${peer.name}`;
  const these = trials === driver.trials ? "" : ` --measure ${trials.map(({ name }) => name).join(",")}`;
  return `npm run bench -- ${driver.name}${beside}${these}${jobs === driver.jobs ? "" : ` --jobs ${jobs}`}${seconds === SECONDS ? "" : ` --seconds ${seconds}`}`;
}
