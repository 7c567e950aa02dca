import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { currentJob, Taskwright } from "taskwright";
import { countHeadings, countLinks, longestLine, mostUsed, words } from "./markdown.js";

/** Where jobs live comes from TASKWRIGHT_BROKER, so that the producer and the worker agree on it. */
export const app = new Taskwright({ defaults: { attempts: 3, backoff: { type: "fixed", delay: 50, jitter: 0 } } });

/** Reads one Markdown file and says what is in it. Throws where it cannot be read, and is then tried again. */
export const analyse = app.task("markdown.analyse", async (path: string) => {
  const text = await readFile(path, "utf8");
  const all = words(text);
  return {
    path,
    words: all.length,
    headings: countHeadings(text),
    links: countLinks(text),
    longestLine: longestLine(text),
    sha256: createHash("sha256").update(text).digest("hex"),
    mostUsed: mostUsed(all, 100),
  };
});

export type Analysis = Awaited<ReturnType<typeof analyse>>;

/** Stands for a service that is down for a moment: fails twice, then works. */
export const unsteady = app.task("unsteady", () => {
  const { attempt } = currentJob();
  if (attempt < 3) throw new Error(`not yet, this was attempt ${attempt}`);
  return attempt;
});
