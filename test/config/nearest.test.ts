import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { levenshtein, nearest, unknownKey } from "../../src/config/nearest.js";

describe("nearest", () => {
  it.each([
    ["concurency", ["concurrency", "queues"], "concurrency"],
    ["poison-limit", ["poisonLimit"], "poisonLimit"],
    ["QUEUE", ["queues", "queue"], "queue"],
    ["add", ["sub", "mul"], undefined],
    ["send", ["report", "mail.send"], "mail.send"],
    ["x", [], undefined],
  ])("%s of %j is %s", (word, candidates, expected) => {
    expect(nearest(word, candidates)).toBe(expected);
  });
});

describe("unknownKey", () => {
  it("guesses, or tells what there is", () => {
    expect(unknownKey("option", "quue", ["queue"], 'task "add"')).toBe(
      'unknown option "quue" in task "add": did you mean "queue"?',
    );
    expect(unknownKey("option", "zzz", ["a", "b", "c"])).toBe('unknown option "zzz"; there are a, b and c');
    expect(unknownKey("queue", "zzz", ["mail"])).toBe('unknown queue "zzz"; there is only mail');
    expect(unknownKey("task", "zzz", [])).toBe('unknown task "zzz"; there are none');
  });
});

describe("levenshtein", () => {
  it("is a metric", () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.string(), (a, b, c) => {
        expect(levenshtein(a, a)).toBe(0);
        expect(levenshtein(a, b)).toBe(levenshtein(b, a));
        expect(levenshtein(a, c)).toBeLessThanOrEqual(levenshtein(a, b) + levenshtein(b, c));
        expect(levenshtein(a, b)).toBeLessThanOrEqual(Math.max(a.length, b.length));
      }),
    );
  });
});
