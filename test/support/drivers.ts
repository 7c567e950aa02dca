import type { Place, Skip } from "taskwright/conformance";
import { memory } from "taskwright/drivers/memory";
import { FakeClock } from "taskwright/testing";
import type { Capabilities, Driver } from "../../src/contracts/index.js";

/** In ms. Cases measure in it; with a fake clock a smaller one only means that drivers that poll fire fewer timers. */
const UNIT = 100;

/** A driver as the tests meet it. */
export interface TestedDriver {
  readonly capabilities: Capabilities;
  /** Makes an empty place. */
  open(): Promise<Place>;
  /** What it does not pass yet, and why. */
  readonly skip?: readonly Skip[];
}

/** All drivers that there are. One with a server starts it in `open`, once: see README.md in this folder. */
export const DRIVERS: Readonly<Record<string, TestedDriver>> = {
  memory: {
    capabilities: memory().capabilities,
    open: async () => placeWithFakeClock(memory()),
  },
};

/**
 * The drivers to test: those of `DRIVERS=sqlite,memory`, or all.
 *
 * @throws Error for a name that is no driver, with the names that are
 */
export function selectedDrivers(selection = process.env.DRIVERS): [name: string, driver: TestedDriver][] {
  const names = (selection ?? "").split(",").map((name) => name.trim());
  const wanted = names.filter((name) => name !== "");
  for (const name of wanted) {
    if (!Object.hasOwn(DRIVERS, name)) {
      throw new Error(`DRIVERS names "${name}", which is none of the drivers here: ${Object.keys(DRIVERS).join(", ")}`);
    }
  }
  return Object.entries(DRIVERS).filter(([name]) => wanted.length === 0 || wanted.includes(name));
}

/** A place in which time moves only when a test moves it. For drivers whose one clock is the environment's. */
function placeWithFakeClock(driver: Driver, rest: Pick<Place, "begin" | "remove"> = {}): Place {
  const clock = new FakeClock();
  return { driver, clock, advance: (ms) => clock.advance(ms), unit: UNIT, ...rest };
}
