import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatDuration, parseDuration } from "../../src/job/duration.js";
import { ConfigError } from "../../src/job/errors.js";

describe("parseDuration", () => {
  it.each([
    [0, 0],
    [500, 500],
    ["0", 0],
    ["250", 250],
    ["250ms", 250],
    ["10s", 10_000],
    ["5m", 300_000],
    ["1.5h", 5_400_000],
    ["1d", 86_400_000],
    ["1w", 604_800_000],
    ["10 seconds", 10_000],
    [" 2m ", 120_000],
    ["1.1h", 3_960_000],
    [1.4, 1],
  ])("reads %j as %d ms", (value, expected) => {
    expect(parseDuration(value, "timeout")).toBe(expected);
  });

  it.each([
    -1,
    "-5s",
    Number.NaN,
    Number.POSITIVE_INFINITY,
    "",
    "  ",
    "10 parsecs",
    "soon",
    "1e3",
    "10s5",
    2 ** 60,
    `${"9".repeat(60)}y`,
  ])("rejects %j, naming what it is for and showing what is right", (value) => {
    expect(() => parseDuration(value, "defaults.timeout")).toThrow(ConfigError);
    expect(() => parseDuration(value, "defaults.timeout")).toThrow(/^defaults\.timeout is .*"10s"/);
  });

  it("rejects what is no duration at all", () => {
    for (const value of [null, undefined, {}, true, 5n]) {
      expect(() => parseDuration(value as unknown as string, "delay")).toThrow(ConfigError);
    }
  });
});

describe("formatDuration", () => {
  it.each([
    [0, "0ms"],
    [250, "250ms"],
    [1500, "1500ms"],
    [90_000, "90s"],
    [300_000, "5m"],
    [86_400_000, "1d"],
    [1_209_600_000, "2w"],
  ])("writes %d ms as %s", (value, expected) => {
    expect(formatDuration(value)).toBe(expected);
  });

  it("is read back as the same value", () => {
    fc.assert(
      fc.property(fc.nat({ max: Number.MAX_SAFE_INTEGER }), (value) => {
        expect(parseDuration(formatDuration(value), "value")).toBe(value);
      }),
    );
  });
});
