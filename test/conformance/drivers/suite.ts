import { driverConformance } from "taskwright/conformance";
import { describe, test } from "vitest";
import { selectedDrivers } from "../../support/drivers.js";
import { notSelected } from "../../support/not-selected.js";

/** Runs the suite of contracts on a driver. Each has a file of its own, so that they run beside each other. */
export function testDriver(name: string): void {
  const selected = selectedDrivers().find(([candidate]) => candidate === name);
  if (selected === undefined) return notSelected(name);
  driverConformance({ name, runner: { describe, test }, ...selected[1] });
}
