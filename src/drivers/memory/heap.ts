import type { StoredJob } from "./job.js";
import { isOlder } from "./line.js";

/** A binary heap of delayed jobs, the next due first. Each job knows its index, so that it can leave from the middle. */
export class DelayedHeap {
  readonly #jobs: StoredJob[] = [];

  get first(): StoredJob | undefined {
    return this.#jobs[0];
  }

  add(job: StoredJob): void {
    this.#jobs.push(job);
    this.#rise(job, this.#jobs.length - 1);
  }

  remove(job: StoredJob): void {
    const index = job.heapIndex;
    const last = this.#jobs.pop();
    job.heapIndex = -1;
    if (!last || last === job) return;
    this.#rise(last, index);
    this.#sink(last, last.heapIndex);
  }

  #rise(job: StoredJob, from: number): void {
    let index = from;
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = this.#jobs[parentIndex];
      if (!parent || !isOlder(job, parent)) break;
      this.#place(parent, index);
      index = parentIndex;
    }
    this.#place(job, index);
  }

  #sink(job: StoredJob, from: number): void {
    let index = from;
    for (;;) {
      const child = this.#olderChild(index);
      if (!child || !isOlder(child, job)) break;
      const childIndex = child.heapIndex;
      this.#place(child, index);
      index = childIndex;
    }
    this.#place(job, index);
  }

  #olderChild(index: number): StoredJob | undefined {
    const left = this.#jobs[2 * index + 1];
    const right = this.#jobs[2 * index + 2];
    return left && right && isOlder(right, left) ? right : left;
  }

  #place(job: StoredJob, index: number): void {
    this.#jobs[index] = job;
    job.heapIndex = index;
  }
}
