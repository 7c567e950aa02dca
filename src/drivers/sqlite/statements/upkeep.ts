import type { QueuedState } from "../../../contracts/inspector.js";
import { integer } from "../cells.js";
import type { Client } from "../clients/client.js";

export interface Upkeep {
  /** Deletes the jobs of a queue in a state, never active ones, and answers how many. */
  purge(queue: number, state: QueuedState): number;
  /** Makes a dead letter a job again, as number `seq`, due now, with nothing counted. */
  revive(deadSeq: number, seq: number, now: number): void;
}

const SELECTIONS: Partial<Record<QueuedState, { readonly table: string; readonly where: string }>> = {
  waiting: { table: "taskwright_ready", where: "queue = ?1" },
  scheduled: { table: "taskwright_scheduled", where: "queue = ?1 AND retrying = 0" },
  retrying: { table: "taskwright_scheduled", where: "queue = ?1 AND retrying = 1" },
};

/**
 * Purpose: what an operator does to many jobs, or to the dead.
 * Callers: the inspector's `purge` and `retry`.
 * Cost: `purge` about 2 microseconds a deleted job, in one transaction; `revive` five statements.
 */
export function upkeep(client: Client): Upkeep {
  const deleteDead = client.prepare("DELETE FROM taskwright_dead WHERE queue = ?");
  const revival = [
    `INSERT INTO taskwright_jobs SELECT ?2, id, queue, priority, ?3, expires, headers, body
     FROM taskwright_dead WHERE seq = ?1`,
    // It has a history, so its claims count on from 1: then it is read with the job, and deleted with it.
    `INSERT INTO taskwright_ready SELECT queue, 9 - priority, ?3, ?2, 0, 0, 1, 0 FROM taskwright_dead WHERE seq = ?1`,
    "INSERT INTO taskwright_histories SELECT ?2, history FROM taskwright_dead WHERE seq = ?1 AND ?3 IS NOT NULL",
    "DELETE FROM taskwright_dead WHERE seq = ?1 AND ?2 IS NOT NULL AND ?3 IS NOT NULL",
  ].map((sql) => client.prepare(sql));

  function purgeLive(queue: number, table: string, where: string): number {
    const seqs = `SELECT seq FROM ${table} WHERE ${where}`;
    const [row] = client.prepare(`SELECT count(*) AS count FROM ${table} WHERE ${where}`).all([queue]);
    client.prepare(`DELETE FROM taskwright_histories WHERE seq IN (${seqs})`).run([queue]);
    client.prepare(`DELETE FROM taskwright_jobs WHERE seq IN (${seqs})`).run([queue]);
    client.prepare(`DELETE FROM ${table} WHERE ${where}`).run([queue]);
    return integer(row ?? {}, "count");
  }

  return {
    purge(queue, state) {
      if (state === "dead") return deleteDead.run([queue]);
      const selection = SELECTIONS[state];
      return selection === undefined ? 0 : purgeLive(queue, selection.table, selection.where);
    },
    revive(deadSeq, seq, now) {
      for (const statement of revival) statement.run([deadSeq, seq, now]);
    },
  };
}
