import process from "node:process";
import { fileURLToPath } from "node:url";
import type { Capabilities } from "../../contracts/capabilities.js";
import { ConfigError } from "../../job/errors.js";
import type { Runner } from "../driver/suite.js";
import { reasonsByCase, type Skip } from "../skips.js";
import { WorkerContext } from "./context.js";
import { WORKER_CASES } from "./groups.js";
import type { SharedPlace } from "./place.js";
import type { OpenUrl } from "./process.js";

/** Which driver, where, how to start processes on it, and with which test runner. */
export interface WorkerConformanceOptions {
  /** The driver's name, for the report. */
  readonly name: string;
  /** What it claims. Cases about what it does not claim are left out; it must be `shared`. */
  readonly capabilities: Capabilities;
  /** Makes an empty place, for each case a new one. */
  readonly open: () => SharedPlace | Promise<SharedPlace>;
  /** Makes a driver of a place's URL, for drivers that taskwright does not know by their URL. */
  readonly openUrl?: OpenUrl;
  /**
   * A program that calls `runConformanceProcess`, with its interpreter and arguments. Default: the suite's own, in this
   * Node. A driver with `openUrl` needs one of its own.
   */
  readonly command?: readonly string[];
  readonly runner: Runner;
  readonly skip?: readonly Skip[];
  /** Takes what cases measured, such as recovery times, each a sentence. */
  readonly report?: (figure: string) => void;
}

/** The suite's own program, compiled. */
const PROGRAM = fileURLToPath(new URL("./program.js", import.meta.url));

/**
 * Registers the suite of what must hold when workers are processes that are killed, stopped, blocked and told to end. It
 * needs signals, hence Linux or macOS, and a runner that gives each test 30 s: nothing in it sleeps for a fixed time, but
 * leases really pass.
 *
 * @param options - See {@link WorkerConformanceOptions}.
 * @throws ConfigError when the driver is not shared by processes, or when a skip has no reason or names no case
 * @example
 * import { workerConformance } from "taskwright/conformance";
 * import { sqlite } from "taskwright/drivers/sqlite";
 * import { mkdtemp, rm } from "node:fs/promises";
 * import { describe, test } from "vitest";
 *
 * workerConformance({
 *   name: "sqlite",
 *   capabilities: sqlite().capabilities,
 *   runner: { describe, test },
 *   async open() {
 *     const folder = await mkdtemp("/tmp/jobs-");
 *     return { broker: `sqlite:${folder}/jobs.db`, remove: () => rm(folder, { recursive: true }) };
 *   },
 * });
 */
export function workerConformance(options: WorkerConformanceOptions): void {
  const { name, runner, capabilities } = options;
  if (!capabilities.shared) throw new ConfigError(`${name} is not shared by processes: there is nothing to test here`);
  const reasons = reasonsByCase(options.skip ?? [], WORKER_CASES);
  runner.describe(`workers on ${name}`, () => {
    for (const group of WORKER_CASES) {
      const cases = group.cases.filter(({ requires }) => requires?.(capabilities) ?? true);
      if (cases.length === 0) continue;
      runner.describe(group.name, () => {
        for (const one of cases) {
          const run = () => withPlace(options, one.run);
          const reason = reasons.get(`${group.name}: ${one.name}`);
          if (reason === undefined) runner.test(one.name, run);
          else runner.test.skip(`${one.name} (skipped: ${reason})`, run);
        }
      });
    }
  });
}

/** Opens a place, and kills its processes and removes it whatever happens. */
async function withPlace(options: WorkerConformanceOptions, run: (c: WorkerContext) => Promise<void>): Promise<void> {
  const { capabilities, command = [process.execPath, PROGRAM], openUrl, report } = options;
  const context = await WorkerContext.open({ place: await options.open(), capabilities, command, openUrl, report });
  try {
    await run(context);
  } finally {
    await context.close();
  }
}
