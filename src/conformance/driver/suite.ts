import assert from "node:assert/strict";
import type { Capabilities } from "../../contracts/capabilities.js";
import type { Place } from "../place.js";
import { reasonsByCase, type Skip } from "../skips.js";
import type { CaseGroup, Contract, DriverCase } from "./case.js";
import { CaseContext } from "./context.js";
import { DRIVER_CASES } from "./groups.js";

type Run = () => Promise<void>;

/** What the suite needs of a test runner. Vitest, Jest, Mocha (`it`) and `node:test` have it. */
export interface Runner {
  describe(name: string, body: () => void): unknown;
  readonly test: ((name: string, run: Run) => unknown) & { skip(name: string, run: Run): unknown };
}

/** Which driver, where, and with which test runner. */
export interface DriverConformanceOptions {
  /** The driver's name, for the report. */
  readonly name: string;
  /** What it claims: the suite asserts each claim both ways. */
  readonly capabilities: Capabilities;
  /**
   * What its connections have. Default: broker, backend, coordinator, notifier and inspector, and broadcaster where the
   * capability is claimed.
   */
  readonly contracts?: readonly Contract[];
  /** Makes an empty place, for each case a new one. */
  readonly open: () => Place | Promise<Place>;
  readonly runner: Runner;
  readonly skip?: readonly Skip[];
}

const ALL_CONTRACTS: readonly Contract[] = [
  "broker",
  "backend",
  "coordinator",
  "notifier",
  "inspector",
  "queueInspector",
  "broadcaster",
];
/** Those that nearly every driver has. */
const USUAL_CONTRACTS: readonly Contract[] = ["broker", "backend", "coordinator", "notifier", "inspector"];

/**
 * Registers the suite that every driver must pass with a test runner. A case about a capability runs where the
 * capability is claimed; where it is not, another case asserts that its use is refused.
 *
 * @param options - See {@link DriverConformanceOptions}.
 * @throws ConfigError when a skip has no reason or names a case that does not exist
 * @example
 * import { driverConformance } from "taskwright/conformance";
 * import { memory } from "taskwright/drivers/memory";
 * import { FakeClock } from "taskwright/testing";
 * import { describe, test } from "vitest";
 *
 * driverConformance({
 *   name: "memory",
 *   capabilities: memory().capabilities,
 *   runner: { describe, test },
 *   open() {
 *     const clock = new FakeClock();
 *     return { driver: memory(), clock, advance: (ms) => clock.advance(ms) };
 *   },
 * });
 */
export function driverConformance(options: DriverConformanceOptions): void {
  const { name, runner, capabilities } = options;
  const usual: readonly Contract[] = capabilities.broadcast ? [...USUAL_CONTRACTS, "broadcaster"] : USUAL_CONTRACTS;
  const { contracts = usual } = options;
  const reasons = reasonsByCase(options.skip ?? [], DRIVER_CASES);
  runner.describe(`driver ${name}`, () => {
    runner.test("has the contracts it says, and no others", () =>
      withPlace(options, (c) => assertContracts(c, contracts)),
    );
    for (const group of DRIVER_CASES) {
      if (group.contracts.every((contract) => contracts.includes(contract))) registerGroup(options, group, reasons);
    }
  });
}

function registerGroup(
  options: DriverConformanceOptions,
  group: CaseGroup,
  reasons: ReadonlyMap<string, string>,
): void {
  const { runner, capabilities } = options;
  const cases = group.cases.filter(({ requires }) => requires?.(capabilities) ?? true);
  if (cases.length === 0) return;
  runner.describe(group.name, () => {
    for (const one of cases) {
      const run = () => withPlace(options, (c) => one.run(c));
      const reason = reasons.get(nameOf(group, one));
      if (reason === undefined) runner.test(one.name, run);
      else runner.test.skip(`${one.name} (skipped: ${reason})`, run);
    }
  });
}

/** Opens a place, and closes and removes it whatever happens. */
async function withPlace(options: DriverConformanceOptions, run: (c: CaseContext) => Promise<void>): Promise<void> {
  const context = await CaseContext.open(await options.open());
  try {
    assert.deepEqual(context.capabilities, options.capabilities, "the driver's capabilities are those of the suite");
    await run(context);
  } finally {
    await context.close();
  }
}

async function assertContracts(c: CaseContext, contracts: readonly Contract[]): Promise<void> {
  const present = ALL_CONTRACTS.filter((contract) => c.connection[contract] !== undefined);
  assert.deepEqual(
    present,
    ALL_CONTRACTS.filter((contract) => contracts.includes(contract)),
  );
}

function nameOf(group: CaseGroup, one: DriverCase): string {
  return `${group.name}: ${one.name}`;
}
