import { ConfigError } from "taskwright";
import { type DriverConformanceOptions, driverConformance, type Place } from "taskwright/conformance";
import { memory } from "taskwright/drivers/memory";
import { FakeClock } from "taskwright/testing";
import { describe, expect, test } from "vitest";
import type { Capabilities } from "../../src/contracts/index.js";

/** Gathers what the suite registers, instead of running it. */
function recordingRunner() {
  const cases = new Map<string, () => Promise<void>>();
  const skipped: string[] = [];
  const path: string[] = [];
  const add = (name: string, run: () => Promise<void>) => cases.set([...path, name].join(": "), run);
  const runner = {
    describe(name: string, body: () => void) {
      path.push(name);
      body();
      path.pop();
    },
    test: Object.assign(add, { skip: (name: string) => skipped.push([...path, name].join(": ")) }),
  };
  return { runner, cases, skipped };
}

/** The memory driver, claiming something else than it should. */
function suiteOf(claims: Partial<Capabilities> = {}, options: Partial<DriverConformanceOptions> = {}) {
  const recorded = recordingRunner();
  const capabilities = { ...memory().capabilities, ...claims };
  const open = (): Place => {
    const clock = new FakeClock();
    return { driver: { ...memory(), capabilities }, clock, advance: (ms) => clock.advance(ms), unit: 100 };
  };
  driverConformance({ name: "x", capabilities, open, runner: recorded.runner, ...options });
  return recorded;
}

describe("the driver conformance suite", () => {
  test("fails a driver that claims what it cannot do", async () => {
    const { cases } = suiteOf({ transactions: true });
    await expect(cases.get("driver x: transactions: leave nothing when they roll back")?.()).rejects.toThrow(/`begin`/);
    expect(cases.has("driver x: unsupported: transactions are refused, and nothing is published")).toBe(false);
  });

  test.each([
    ["priority", "priorities are refused"],
    ["delay", "delays are refused"],
    ["idempotentIds", "ids of the caller's own are refused"],
    ["cancel", "cancellation is refused"],
    ["atomicOutcomes", "outcomes beside a settlement are refused"],
    ["inspect", "there is no inspector"],
    ["push", "there is no notifier"],
    ["broadcast", "there is no broadcaster"],
  ] as const)("fails a driver that does what it does not claim: %s", async (capability, name) => {
    const run = suiteOf({ [capability]: false }).cases.get(`driver x: unsupported: ${name}`);
    expect(run).toBeDefined();
    await expect(run?.()).rejects.toThrow();
  });

  test("leaves out what needs a contract that the driver does not have, and asserts that it has none", async () => {
    const { cases } = suiteOf({}, { contracts: ["broker"] });
    expect([...cases.keys()].filter((name) => /: (coordination|reports|pausing): /.test(name))).toEqual([]);
    await expect(cases.get("driver x: has the contracts it says, and no others")?.()).rejects.toThrow();
  });

  test("shows the reason of a skip beside its name", () => {
    const skip = [
      { reason: "the server has no clock", tests: ["expiry: does not flag a job that is claimed in time"] },
    ];
    const { cases, skipped } = suiteOf({}, { skip });
    const name = "driver x: expiry: does not flag a job that is claimed in time";
    expect(skipped).toEqual([`${name} (skipped: the server has no clock)`]);
    expect(cases.has(name)).toBe(false);
  });

  test.each([
    { reason: " ", tests: ["expiry: does not flag a job that is claimed in time"] },
    { reason: "renamed", tests: ["expiry: flags nothing"] },
  ])("refuses a skip without a reason or of an unknown case: $tests", (skip) => {
    expect(() => suiteOf({}, { skip: [skip] })).toThrow(ConfigError);
  });

  test("removes a place also when its case fails", async () => {
    let removed = 0;
    const clock = new FakeClock();
    const place: Place = {
      driver: memory(),
      clock,
      advance: (ms) => clock.advance(ms),
      remove: async () => void removed++,
    };
    const { cases } = suiteOf({}, { capabilities: { ...memory().capabilities, fifo: false }, open: () => place });
    await expect(cases.get("driver x: claiming: answers at once without `wait`")?.()).rejects.toThrow(/capabilities/);
    expect(removed).toBe(1);
  });
});
