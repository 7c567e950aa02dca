import { workerConformance } from "taskwright/conformance";
import { describe, test } from "vitest";
import { programCommand, sharedDrivers } from "../support/shared-drivers.js";

const command = await programCommand();

for (const { name, capabilities, open } of sharedDrivers()) {
  workerConformance({
    name,
    capabilities,
    open,
    command,
    runner: { describe, test },
    report: (figure) => console.log(`${name}: ${figure}`),
  });
}
