import { driverConformance } from "taskwright/conformance";
import { describe, expect, test } from "vitest";
import { selectedDrivers } from "../support/drivers.js";

for (const [name, driver] of selectedDrivers()) {
  driverConformance({ name, runner: { describe, test }, ...driver });
}

describe("the selection of drivers", () => {
  test("takes those that are named, and all when none is", () => {
    expect(selectedDrivers("memory").map(([name]) => name)).toEqual(["memory"]);
    expect(selectedDrivers("").map(([name]) => name)).toEqual([
      "memory",
      "sqlite",
      "redis",
      "postgres",
      "mysql",
      "rabbitmq",
    ]);
  });

  test("refuses a name that it does not know, and names those that it does", () => {
    expect(() => selectedDrivers("memory,postgress")).toThrow(/"postgress".*memory, sqlite/);
  });
});
