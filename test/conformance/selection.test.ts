import { readdirSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { selectedDrivers } from "../support/drivers.js";
import { SHARED_PLACES } from "../support/shared-drivers.js";

/** What the test files in a folder are named after. */
function filesIn(folder: string): string[] {
  const files = readdirSync(new URL(folder, import.meta.url)).filter((file) => file.endsWith(".test.ts"));
  return files.map((file) => file.replace(".test.ts", ""));
}

describe("the suites", () => {
  const drivers = selectedDrivers("");

  test("have a file for each driver", () => {
    expect(filesIn("drivers")).toEqual(drivers.map(([name]) => name).sort());
  });

  test("have a file for each place that processes can share, and each shared driver has one", () => {
    const places = SHARED_PLACES.map((name) => name.replace("+", "-")).sort();
    expect(filesIn("workers").sort()).toEqual(places);
    expect(filesIn("../chaos/kills").sort()).toEqual(places);
    const shared = drivers.filter(([, { capabilities }]) => capabilities.shared).map(([name]) => name);
    expect([...new Set(SHARED_PLACES.map((name) => name.split("+")[0]))]).toEqual(shared);
  });
});

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
