import { describe, expect, it } from "vitest";
import { entriesOf, Tally, variantEntries } from "../../bench/entries.js";
import type { Figures } from "../../bench/measures/measure.js";
import { quantile } from "../../bench/statistics.js";

function tally(...rounds: Figures[]): Tally {
  const made = new Tally();
  for (const figures of rounds) made.add(figures);
  return made;
}

describe("entries", () => {
  it("have the median of the rounds", () => {
    const [entry] = entriesOf("memory", tally({ enqueue: 10 }, { enqueue: 1000 }, { enqueue: 30 }));
    expect(entry).toEqual({
      driver: "memory",
      measure: "enqueue",
      peer: null,
      ours: 30,
      theirs: null,
      ratio: null,
      unit: "jobs/s",
    });
  });

  it("say how many times better ours is, of rates and of times and sizes alike", () => {
    const ours = tally({ process: 500, "pickup-p50": 2, "bytes-per-job": 100 });
    const theirs = tally({ process: 100, "pickup-p50": 1, "bytes-per-job": 400 });
    const entries = entriesOf("sqlite", ours, { name: "plainjob", tally: theirs });
    expect(entries.map(({ measure, ratio }) => [measure, ratio])).toEqual([
      ["process", 5],
      ["pickup-p50", 0.5],
      ["bytes-per-job", 4],
    ]);
  });

  it("have null for what the peer cannot do", () => {
    const [entry] = entriesOf("sqlite", tally({ "result-p50": 3 }), { name: "plainjob", tally: tally({}) });
    expect(entry).toMatchObject({ measure: "result-p50", peer: "plainjob", ours: 3, theirs: null, ratio: null });
  });

  it("set a peer that keeps no results beside both of our modes", () => {
    const ours = tally({ process: 500, "process-with-results": 400 });
    const entries = entriesOf("sqlite", ours, { name: "plainjob", tally: tally({ process: 100 }) });
    expect(entries.map(({ measure, theirs, ratio }) => [measure, theirs, ratio])).toEqual([
      ["process", 100, 5],
      ["process-with-results", 100, 4],
    ]);
  });

  it("of other settings of ours are rates, with the settings in the measure's name", () => {
    const entries = variantEntries("sqlite", tally({ enqueue: 10, rss: 50 }), "-full");
    expect(entries.map(({ measure, peer }) => [measure, peer])).toEqual([["enqueue-full", null]]);
  });
});

describe("a quantile", () => {
  it("is the smallest value that so many do not exceed", () => {
    const values = Array.from({ length: 200 }, (_, index) => 200 - index);
    expect([quantile(values, 0.5), quantile(values, 0.99), quantile([7], 0.99)]).toEqual([100, 198, 7]);
  });
});
