import type { Trial } from "./measure.js";

/** One process enqueues, by single calls or by calls for a thousand, runs and settles, all at the same time. */
export function wholeWay(calls: "single" | "bulk", keepResults: boolean): Trial {
  const name = `whole-way${calls === "bulk" ? "-bulk" : ""}${keepResults ? "-with-results" : ""}`;
  return {
    name,
    keepResults,
    aboutResults: keepResults,
    ofVariants: false,
    async run(arena, jobs) {
      const process = await arena.producer();
      const seconds = await process.act(calls === "bulk" ? "wholeWayInBulk" : "wholeWay", jobs);
      return { [name]: jobs / seconds };
    },
  };
}
