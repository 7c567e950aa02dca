import fc from "fast-check";
import { describe, test } from "vitest";
import { selectedDrivers } from "../support/drivers.js";
import { commands } from "./model/commands.js";
import { Trial } from "./model/trial.js";

const RUNS = 300;
/** In ms: 300 runs on sqlite take 5 to 13 s here, most of it opening files. */
const TIME_LIMIT = 120_000;

/** Those whose time moves only when a test moves it: the model knows to the millisecond what is due. */
const drivers = selectedDrivers().filter(([, { serverClock }]) => !serverClock);

if (drivers.length === 0) test.skip("needs a driver without a server: time cannot be told to pass on one", () => {});

/** fast-check prints the seed and the shortest commands that fail: run them again with `fc.assert(..., { seed, path })`. */
describe.each(drivers)("driver %s", (_name, driver) => {
  test(
    "does what the reference model does, whatever the commands",
    async () => {
      await fc.assert(
        fc.asyncProperty(commands, async (sequence) => Trial.run(await driver.open(), sequence)),
        { numRuns: RUNS },
      );
    },
    TIME_LIMIT,
  );
});
