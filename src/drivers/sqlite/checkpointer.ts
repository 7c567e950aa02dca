import { statSync } from "node:fs";
import type { Client } from "./clients/client.js";

/** Bytes of the log at which it is copied into the file: SQLite's own default, 1,000 pages. */
const THRESHOLD = 4 * 1024 * 1024;

/**
 * Versions before 3.51.3 (but for 3.44.6 and 3.50.7) can lose commits when one connection restarts the log while another
 * checkpoints it: https://www.sqlite.org/wal.html#the_wal_reset_bug. libsql 0.5 has 3.45.1.
 */
export function hasWalResetBug(version: string): boolean {
  const [major = 0, minor = 0, patch = 0] = version.split(".").map(Number);
  if (major !== 3) return major < 3;
  const fixedAt: Readonly<Record<number, number>> = { 44: 6, 50: 7, 51: 3 };
  const fixed = fixedAt[minor];
  return fixed === undefined ? minor < 51 : patch < fixed;
}

/**
 * Checkpoints in place of SQLite where it has that bug: while the first connection holds the write lock, nobody can
 * restart the log, so a checkpoint on a second connection runs without the race. Every process does the same.
 *
 * When the log restarts, `journal_size_limit` cuts its file to the threshold, so a longer file is a longer log. Looking
 * costs 2 microseconds a commit. (Cutting it to nothing makes every commit lengthen it again, and then a flush costs 1.7 ms
 * instead of 0.2: measured on ext4.)
 */
export class Checkpointer {
  readonly #client: Client;
  readonly #path: string;
  #second: Client | undefined;
  #threshold = THRESHOLD;

  constructor(client: Client, path: string) {
    this.#client = client;
    this.#path = path;
    forbidCheckpoints(client);
    client.exec(`PRAGMA journal_size_limit = ${THRESHOLD}`);
  }

  /** Called after each commit, outside transactions. */
  afterCommit(): void {
    const size = this.#logSize();
    if (size <= this.#threshold) return;
    this.checkpoint();
    // Where a reader held the end of the log it cannot be copied whole yet: try again when it has grown as much again.
    this.#threshold = size + THRESHOLD;
  }

  /** Copies the log into the file if nobody writes at the moment. */
  checkpoint(): void {
    try {
      this.#client.exec("BEGIN IMMEDIATE");
    } catch {
      return;
    }
    try {
      this.#second ??= this.#openSecond();
      this.#second.prepare("PRAGMA wal_checkpoint(PASSIVE)").all([]);
    } finally {
      this.#client.exec("ROLLBACK");
    }
  }

  close(): void {
    this.#second?.close();
  }

  #openSecond(): Client {
    const second = this.#client.open(this.#path);
    forbidCheckpoints(second);
    return second;
  }

  #logSize(): number {
    const size = statSync(`${this.#path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
    if (size <= THRESHOLD) this.#threshold = THRESHOLD;
    return size;
  }
}

function forbidCheckpoints(client: Client): void {
  client.exec("PRAGMA wal_autocheckpoint = 0");
}
