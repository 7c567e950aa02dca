import { setImmediate as nextTurn, setTimeout as pause } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Job, Session } from "./contestant.js";

/** `enqueue` is measured with so many callers, each of which waits for its call before it makes the next. */
const CALLERS = 1000;

/** `enqueue-bulk` is measured in calls of so many jobs. */
const BULK = 1000;

/** When each job was sent and, where they come back, how long its result took. In ms. */
export interface Paced {
  readonly sent: readonly number[];
  readonly results: readonly number[];
}

/** A worker's part in work that several share: its time by the monotonic clock, in ms, and how often it ran a handler. */
interface Share {
  readonly since: number;
  readonly until: number;
  readonly ran: number;
}

/** What the processes do when they are told to, each in its own process. Times are of the monotonic clock they share. */
export class Acts {
  readonly #session: Session;
  readonly #started = new Map<number, number>();
  #onStarted: () => void = () => {};

  constructor(session: Session) {
    this.#session = session;
  }

  /** Enqueues `jobs` jobs by single calls. Answers the seconds it took. */
  enqueueSingly(jobs: number): Promise<number> {
    if (this.#session.enqueueAlone !== undefined) return this.#session.enqueueAlone(jobs);
    return this.#callForEach(jobs, (job) => this.#session.enqueue(job, 1));
  }

  /** The same by calls that are all made at once, and waited for together. */
  async enqueueAtOnce(jobs: number): Promise<number> {
    if (this.#session.enqueueAlone !== undefined) return this.#session.enqueueAlone(jobs);
    const since = now();
    await Promise.all(Array.from({ length: jobs }, (_, job) => this.#session.enqueue(job, 1)));
    return (now() - since) / 1000;
  }

  /** The same as `enqueueSingly`, each with a text of `bytes`. */
  enqueueTexts(jobs: number, bytes: number): Promise<number> {
    const text = "x".repeat(bytes);
    return this.#callForEach(jobs, (job) => this.#session.enqueue(job, 1, text));
  }

  /** Enqueues `jobs` jobs by calls for many. Answers the seconds it took, `undefined` where there is no such call. */
  async enqueueBulk(jobs: number): Promise<number | undefined> {
    const { enqueueMany } = this.#session;
    if (enqueueMany === undefined) return undefined;
    const since = now();
    for (let at = 0; at < jobs; at += BULK) await enqueueMany(jobsFrom(at, Math.min(BULK, jobs - at)));
    return (now() - since) / 1000;
  }

  /** Fills the queue in the fastest way there is. */
  async fill(jobs: number): Promise<void> {
    if ((await this.enqueueBulk(jobs)) === undefined) await this.enqueueSingly(jobs);
  }

  /** Fills the queue with jobs that are due in a day. */
  async fillLater(jobs: number): Promise<void> {
    const { enqueueLater } = this.#session;
    if (enqueueLater === undefined) throw new Error("this contestant is not asked for delayed jobs");
    for (let at = 0; at < jobs; at += BULK) await enqueueLater(jobsFrom(at, Math.min(BULK, jobs - at)));
  }

  /** Works off the queue. Answers the seconds until the last job was settled and the queue empty. */
  async settleAll(jobs: number): Promise<number> {
    if (this.#session.settleAlone !== undefined) return this.#session.settleAlone(jobs);
    const since = now();
    const { ran } = await this.#startCounting(jobs);
    await ran;
    await this.#empty();
    return (now() - since) / 1000;
  }

  /** Answers the seconds in which the first `jobs` jobs ran. More may be waiting. */
  async runFirst(jobs: number): Promise<number> {
    const since = now();
    const { ran } = await this.#startCounting(jobs);
    await ran;
    return (now() - since) / 1000;
  }

  /** Works off the queue together with other processes, so that how many jobs are its own shows at the end only. */
  async settleShare(): Promise<Share> {
    const since = now();
    let ran = 0;
    await this.#session.startWorker((a, b) => {
      ran++;
      return a + b;
    });
    // Asks only when it has run nothing for a millisecond or more, so as to disturb little.
    for (let before = -1; before !== ran || (await this.#session.remaining()) > 0; ) {
      before = ran;
      await pause(1);
    }
    return { since, until: now(), ran };
  }

  /** Enqueues by single calls, runs and settles, all at once in this process. Answers the seconds until all is settled. */
  wholeWay(jobs: number): Promise<number> {
    return this.#wholeWay(jobs, () => this.enqueueSingly(jobs));
  }

  /** The same by calls for many. */
  wholeWayInBulk(jobs: number): Promise<number> {
    return this.#wholeWay(jobs, () => this.fill(jobs));
  }

  /** The same in calls for many, each made when the jobs of the one before have run, so that no backlog builds up. */
  async wholeWaySteadily(jobs: number): Promise<number> {
    let left = 0;
    let through = (): void => {};
    await this.#session.startWorker((a, b) => {
      if (--left === 0) through();
      return a + b;
    });
    const since = now();
    for (let at = 0; at < jobs; at += BULK) {
      left = Math.min(BULK, jobs - at);
      const ran = new Promise<void>((resolve) => {
        through = resolve;
      });
      await this.fill(left);
      await ran;
    }
    await this.#empty();
    return (now() - since) / 1000;
  }

  /** Starts a worker that remembers when each job started; see `started`. */
  async listen(): Promise<void> {
    await this.#session.startWorker((a, b) => {
      if (!this.#started.has(a)) this.#started.set(a, now());
      this.#onStarted();
      return a + b;
    });
  }

  /** When each of the jobs 0 to `jobs` - 1 started, in ms, once all have. */
  async started(jobs: number): Promise<number[]> {
    await new Promise<void>((resolve) => {
      this.#onStarted = () => {
        if (this.#started.size >= jobs) resolve();
      };
      this.#onStarted();
    });
    return Array.from({ length: jobs }, (_, job) => this.#started.get(job) ?? Number.NaN);
  }

  /** Sends jobs at random times, `gap` ms apart on average, whether or not the earlier ones have come back. */
  async pace(jobs: number, gap: number): Promise<Paced> {
    const sent: number[] = [];
    const returning: Promise<number>[] = [];
    const random = seeded();
    for (let job = 0; job < jobs; job++) {
      await pause(-Math.log(1 - random()) * gap);
      const since = now();
      sent.push(since);
      if (this.#session.call === undefined) await this.#session.enqueue(job, 1);
      else returning.push(this.#session.call(job, 1).then(() => now() - since));
    }
    return { sent, results: await Promise.all(returning) };
  }

  /** Bytes in use by the objects of this process. */
  async heapBytes(): Promise<number> {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    // What the first collection frees may hold weak references that only the second one drops.
    for (let round = 0; round < 2; round++) {
      await nextTurn();
      collect();
    }
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  }

  /** The most memory that this process has had, in bytes; `undefined` where the work is done by others. */
  async peakRss(): Promise<number | undefined> {
    if (this.#session.settleAlone !== undefined) return undefined;
    return process.resourceUsage().maxRSS * 1024;
  }

  /** From `CALLERS` callers. Answers the seconds it took. */
  async #callForEach(jobs: number, enqueue: (job: number) => unknown): Promise<number> {
    let next = 0;
    const caller = async (): Promise<void> => {
      while (next < jobs) await enqueue(next++);
    };
    const since = now();
    await Promise.all(Array.from({ length: CALLERS }, caller));
    return (now() - since) / 1000;
  }

  async #wholeWay(jobs: number, enqueue: () => Promise<unknown>): Promise<number> {
    const { ran } = await this.#startCounting(jobs);
    const since = now();
    await enqueue();
    await ran;
    await this.#empty();
    return (now() - since) / 1000;
  }

  /** Starts a worker; `ran` resolves when `jobs` jobs have run. */
  async #startCounting(jobs: number): Promise<{ readonly ran: Promise<void> }> {
    let left = jobs;
    let done = (): void => {};
    const ran = new Promise<void>((resolve) => {
      done = resolve;
    });
    await this.#session.startWorker((a, b) => {
      if (--left === 0) done();
      return a + b;
    });
    return { ran };
  }

  /** Asks only once all jobs have run, so that nothing is asked while the clock runs but the end of it. */
  async #empty(): Promise<void> {
    while ((await this.#session.remaining()) > 0) await nextTurn();
  }
}

function jobsFrom(from: number, count: number): Job[] {
  return Array.from({ length: count }, (_, index) => [from + index, 1]);
}

/** Milliseconds of the clock that all processes of a machine share, which `performance.now` is not. */
function now(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** The same numbers for every contestant: mulberry32. */
function seeded(): () => number {
  let state = 20_240_229;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
