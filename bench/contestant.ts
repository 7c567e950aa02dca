/** What every job does: a no-op with two small integers. What else a job carries is not looked at. */
export type Handler = (a: number, b: number) => number;

/** The arguments of a job, with a text where the size of a job is what is measured. */
export type Job = readonly [a: number, b: number, payload?: string];

/** Where a contestant works, and how. */
export interface Terms {
  /** A fresh place of its own: a file, or the URL of an empty database. For taskwright, its broker URL. */
  readonly place: string;
  readonly keepResults: boolean;
}

/** A contestant at work in one process, as producer or worker or both. What it gives back may be awaited. */
export interface Session {
  /** One job. Done when it is as durable as the contestant makes it. */
  enqueue(...job: Job): unknown;
  /** Many jobs in one call. Absent: it has no such call. */
  enqueueMany?(jobs: readonly Job[]): unknown;
  /** The same for jobs that are due in a day. */
  enqueueLater?(jobs: readonly Job[]): unknown;
  /** One job and its result, here. Absent: results do not come back. */
  call?(...job: Job): Promise<number>;
  startWorker(handler: Handler): unknown;
  /** Enqueues so many jobs by a program of its own, and answers the seconds that this took. Absent: `enqueue` is called. */
  enqueueAlone?(jobs: number): Promise<number>;
  /** Works off a queue of so many jobs by programs of its own, and answers the seconds. Absent: `startWorker` is called with a handler. */
  settleAlone?(jobs: number): Promise<number>;
  /** Jobs that are not settled: waiting and active ones. */
  remaining(): number | Promise<number>;
  close(): unknown;
}

/** A library under measurement. A peer is one file in `peers/` with one of these. */
export interface Contestant {
  /** As on npm. */
  readonly name: string;
  /** Packages whose versions are printed beside the figures. */
  readonly packages: readonly string[];
  /** What is printed of it where it is not on npm, such as "5.2.6". */
  version?(): string;
  /** How it is set up, in one line for the reader. */
  readonly settings: string;
  /** False where it runs the same with and without results, because it has none to keep. */
  readonly keepsResults: boolean;
  open(terms: Terms): Promise<Session>;
}

/** A contestant to be measured beside taskwright. */
export interface Peer extends Contestant {
  /** The drivers that it is a peer of. */
  readonly drivers: readonly string[];
  /** The trials that it can take part in. Absent: all. */
  readonly measures?: readonly string[];
}
