import type { Lease, Settlement, SettleStatus } from "../../contracts/broker.js";
import { fromToken } from "./lease-token.js";
import type { Statements } from "./statements/index.js";
import type { StoredLease } from "./statements/leases.js";

/** Finds the leases that are still held, all in one statement. */
export function heldLeases(statements: Statements, leases: readonly Lease[]): (StoredLease | undefined)[] {
  const keys = leases.map(({ token }) => fromToken(token));
  const stored = statements.leases.find(keys.map(({ seq }) => seq));
  return keys.map(({ seq, claims }, index) => {
    const lease = stored.get(seq);
    return lease?.claims === claims && lease.attempt === leases[index]?.attempt ? lease : undefined;
  });
}

/** Ends attempts, within a transaction of the caller's. */
export function settleAll(statements: Statements, settlements: readonly Settlement[], now: number): SettleStatus[] {
  const held = heldLeases(
    statements,
    settlements.map(({ lease }) => lease),
  );
  const ended = new Set<number>();
  const gone: StoredLease[] = [];
  const statuses = settlements.map((settlement, index): SettleStatus => {
    const lease = held[index];
    // A second settlement of one lease in a batch is as late as one that comes afterwards.
    if (lease === undefined || ended.has(lease.seq)) return "lost";
    ended.add(lease.seq);
    if (endAttempt(statements, settlement, lease, now)) gone.push(lease);
    return "settled";
  });
  if (ended.size > 0) statements.leases.delete([...ended]);
  deleteJobs(statements, gone);
  storeOutcomes(statements, settlements, statuses, now);
  return statuses;
}

/** Puts the job where it goes next, and answers whether that is nowhere: then its row is to be deleted. */
function endAttempt(statements: Statements, settlement: Settlement, lease: StoredLease, now: number): boolean {
  const { moving } = statements;
  switch (settlement.kind) {
    case "complete":
      return true;
    case "dead":
      moving.bury(lease, settlement.reason, settlement.history, now);
      return true;
    case "retry":
      moving.saveHistory(lease.seq, settlement.history);
      moving.putBack(lease, dueAfter(settlement.delay, now), settlement.delay > 0 ? "retrying" : "ready");
      return false;
    case "release": {
      const { delay, history } = settlement;
      if (history) moving.saveHistory(lease.seq, history);
      const uncounted = { ...lease, attempt: lease.attempt - 1 };
      if (delay > 0) moving.putBack(uncounted, dueAfter(delay, now), "scheduled");
      else moving.putBack(uncounted, undefined, "ready");
      return false;
    }
  }
}

function dueAfter(delay: number, now: number): number {
  return Math.ceil(now + Math.max(0, delay));
}

/** Only a job that was claimed before can have a history. */
function deleteJobs({ moving }: Statements, gone: readonly StoredLease[]): void {
  const seqs = gone.map(({ seq }) => seq);
  moving.delete(
    seqs,
    gone.filter(({ claims }) => claims > 1).map(({ seq }) => seq),
  );
}

function storeOutcomes(
  { outcomes, sequences }: Statements,
  settlements: readonly Settlement[],
  statuses: readonly SettleStatus[],
  now: number,
): void {
  const stored = settlements.flatMap((settlement, index) =>
    statuses[index] === "settled" && "outcome" in settlement && settlement.outcome ? [settlement.outcome] : [],
  );
  if (stored.length === 0) return;
  const first = sequences.take("outcome", stored.length);
  for (const [index, outcome] of stored.entries()) outcomes.store(outcome, first + index, now);
}
