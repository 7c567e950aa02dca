import fc from "fast-check";
import { describe, test } from "vitest";
import { selectedDrivers } from "../support/drivers.js";
import { commands } from "./model/commands.js";
import { Trial } from "./model/trial.js";

const RUNS = 300;
/** In ms: 300 runs on sqlite take 5 to 13 s here, most of it opening files. */
const TIME_LIMIT = 120_000;

/** fast-check prints the seed and the shortest commands that fail: run them again with `fc.assert(..., { seed, path })`. */
describe.each(selectedDrivers())("driver %s", (_name, driver) => {
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
