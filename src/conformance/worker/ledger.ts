import { appendFileSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";

/** What processes write down. */
export type What =
  /** A handler began. */
  | "started"
  /** A handler returned. */
  | "ended"
  /** The broker confirmed that the job is done. */
  | "completed"
  /** A handler threw; `detail` is the error's name. */
  | "failed"
  /** A handler's signal aborted; `detail` is the name of the reason. */
  | "aborted"
  /** The worker learned that the attempt's lease had passed to somebody else. */
  | "lost"
  /** The worker gave the job back unfinished and uncounted. */
  | "released"
  /** The worker takes no more jobs. */
  | "stopping"
  /** The broker acknowledged an enqueued job. */
  | "acknowledged"
  /** The worker could not reach its broker; `detail` is the message. */
  | "error";

/** One line of the ledger. */
export interface Entry {
  readonly what: What;
  /** The job; empty where it is about the worker. */
  readonly id: string;
  /** 0 where there is none. */
  readonly attempt: number;
  readonly pid: number;
  /** Milliseconds on the machine's monotonic clock, which all its processes share. */
  readonly at: number;
  readonly detail?: string;
}

/** Now, on the clock of the ledger. */
export function ledgerTime(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** Appends to a file of its own process. A line is with the operating system before the call returns, so it outlives SIGKILL. */
export class LedgerWriter {
  readonly #file: string;
  readonly #tell: (entry: Entry) => void;

  constructor(folder: string, tell: (entry: Entry) => void = () => {}) {
    this.#file = join(folder, `${process.pid}.ledger`);
    this.#tell = tell;
  }

  write(what: What, id = "", attempt = 0, detail?: string): void {
    const entry: Entry = { what, id, attempt, pid: process.pid, at: ledgerTime(), ...(detail && { detail }) };
    appendFileSync(this.#file, `${JSON.stringify(entry)}\n`);
    this.#tell(entry);
  }
}

/** All lines of all processes, by time. A line that a SIGKILL cut short never counted. */
export function readLedger(folder: string): Entry[] {
  const files = readdirSync(folder).filter((name) => name.endsWith(".ledger"));
  const entries = files.flatMap((name) => readFileSync(join(folder, name), "utf8").split("\n").flatMap(toEntry));
  return entries.sort((a, b) => a.at - b.at);
}

function toEntry(line: string): Entry[] {
  return line.endsWith("}") ? [JSON.parse(line) as Entry] : [];
}
