import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { generateId, isUuid, timestampOf } from "../../src/job/id.js";

const V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
// The generator never goes back, so each test starts after all that came before it.
let era = Date.UTC(2030, 0);
const nextEra = () => {
  era += 10_000_000_000;
  return era;
};

describe("generateId", () => {
  it("makes a UUIDv7 that holds the time", () => {
    const now = nextEra();
    const id = generateId(now);
    expect(id).toMatch(V7);
    expect(isUuid(id)).toBe(true);
    expect(timestampOf(id)).toBe(now);
  });

  it("grows within one millisecond, past every boundary of its counter", () => {
    const now = nextEra();
    let last = generateId(now);
    for (let count = 0; count < 100_000; count++) {
      const id = generateId(now);
      if (id <= last) expect.fail(`${id} follows ${last}`);
      last = id;
    }
    expect(last).toMatch(V7);
    expect(timestampOf(last)).toBe(now);
  });

  it("grows whatever the clock does", () => {
    const base = nextEra();
    let last = generateId(base);
    fc.assert(
      fc.property(fc.integer({ min: -1e12, max: 1e12 }), (micros) => {
        const offset = micros / 1000;
        const id = generateId(base + offset);
        expect(id).toMatch(V7);
        expect(id > last).toBe(true);
        last = id;
      }),
    );
  });

  it("does not repeat, nor does its random tail", () => {
    const now = nextEra();
    const ids = Array.from({ length: 50_000 }, () => generateId(now));
    expect(new Set(ids).size).toBe(ids.length);
    expect(new Set(ids.map((id) => id.slice(24))).size).toBe(ids.length);
  });

  it("starts each millisecond at another count, so that two processes differ", () => {
    const now = nextEra();
    const starts = Array.from({ length: 100 }, (_, ms) => generateId(now + ms).slice(15, 23));
    expect(new Set(starts).size).toBeGreaterThan(95);
  });
});

describe("isUuid", () => {
  it("accepts any version in either case, and nothing else", () => {
    expect(isUuid("6BA7B810-9DAD-11D1-80B4-00C04FD430C8")).toBe(true);
    for (const value of [
      "",
      "invoice-7",
      "6ba7b810-9dad-11d1-80b4-00c04fd430c8\n",
      "6ba7b8109dad11d180b400c04fd430c8",
      7,
      null,
    ]) {
      expect(isUuid(value)).toBe(false);
    }
  });
});

describe("timestampOf", () => {
  it("knows nothing about other versions or other text", () => {
    expect(timestampOf("6ba7b810-9dad-41d1-80b4-00c04fd430c8")).toBeUndefined();
    expect(timestampOf("invoice-7")).toBeUndefined();
  });
});
