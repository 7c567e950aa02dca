import type { DeadReason } from "../../../contracts/broker.js";
import type { Client, Parameter } from "../clients/client.js";
import { list, type StoredLease } from "./leases.js";

export interface Moving {
  /** Puts a job that was leased back, due at `due`: `undefined` leaves it the place that it had. */
  putBack(lease: StoredLease, due: number | undefined, state: "ready" | "scheduled" | "retrying"): void;
  saveHistory(seq: number, history: Uint8Array): void;
  /** Copies a job among the dead letters. */
  bury(lease: StoredLease, reason: DeadReason, history: Uint8Array, now: number): void;
  /** Deletes jobs for good. `withHistory`: those that may have one. */
  delete(seqs: readonly number[], withHistory: readonly number[]): void;
}

/**
 * Purpose: the ends of attempts, other than leaving the leases.
 * Callers: settle, sweep and cancel.
 * Cost: `delete` is one statement a batch, and two deletions a job (row and id). The others are for failures and shutdown:
 *   a few statements a job.
 */
export function moving(client: Client): Moving {
  const setDue = client.prepare("UPDATE taskwright_jobs SET due = ? WHERE seq = ?");
  const toReady = client.prepare(
    `INSERT INTO taskwright_ready SELECT queue, 9 - priority, due, seq, ?2, ?3, ?4, ?5
     FROM taskwright_jobs WHERE seq = ?1`,
  );
  const toScheduled = client.prepare(
    `INSERT INTO taskwright_scheduled SELECT seq, queue, 9 - priority, due, ?6, ?2, ?3, ?4, ?5
     FROM taskwright_jobs WHERE seq = ?1`,
  );
  const saveHistory = client.prepare("INSERT OR REPLACE INTO taskwright_histories VALUES (?, ?)");
  const bury = client.prepare(
    `INSERT OR REPLACE INTO taskwright_dead
     SELECT seq, id, queue, priority, ?2, expires, headers, body, ?3, ?4, ?5, ?6
     FROM taskwright_jobs WHERE seq = ?1`,
  );
  const deleteJobs = client.prepare("DELETE FROM taskwright_jobs WHERE seq IN (SELECT value FROM json_each(?))");
  const deleteHistories = client.prepare(
    "DELETE FROM taskwright_histories WHERE seq IN (SELECT value FROM json_each(?))",
  );
  return {
    putBack({ seq, attempt, losses, claims, cancel }, due, state) {
      if (due !== undefined) setDue.run([due, seq]);
      const counters: Parameter[] = [seq, attempt, losses, claims, cancel];
      if (state === "ready") toReady.run(counters);
      else toScheduled.run([...counters, state === "retrying" ? 1 : 0]);
    },
    saveHistory: (seq, history) => void saveHistory.run([seq, history]),
    bury: ({ seq, attempt, losses }, reason, history, now) =>
      void bury.run([seq, now, attempt, losses, reason, history]),
    delete(seqs, withHistory) {
      if (seqs.length > 0) deleteJobs.run([list(seqs)]);
      if (withHistory.length > 0) deleteHistories.run([list(withHistory)]);
    },
  };
}
