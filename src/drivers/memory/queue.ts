import type { StoredJob } from "./job.js";
import { Line } from "./line.js";

const HIGHEST_PRIORITY = 9;

/** The due jobs of one queue: a line for each priority in use. */
export class Queue {
  readonly name: string;
  readonly #lines: (Line | undefined)[] = new Array(HIGHEST_PRIORITY + 1).fill(undefined);
  paused = false;
  /** Jobs of this queue anywhere in the store. A queue with none is forgotten. */
  size = 0;

  constructor(name: string) {
    this.name = name;
  }

  line(priority: number): Line {
    let line = this.#lines[priority];
    if (!line) {
      line = new Line();
      this.#lines[priority] = line;
    }
    return line;
  }

  /** Takes up to `max` jobs from the front, the highest priority first. */
  take(max: number, visit: (job: StoredJob) => void): number {
    let taken = 0;
    for (let priority = HIGHEST_PRIORITY; priority >= 0; priority--) {
      const line = this.#lines[priority];
      while (line?.first && taken < max) {
        const job = line.first;
        line.remove(job);
        visit(job);
        taken++;
      }
    }
    return taken;
  }
}
