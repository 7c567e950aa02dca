import type { Lease, LeaseStatus, Settlement, SettleStatus } from "../../contracts/broker.js";
import { fromToken, type LeaseKey, toNumber } from "./lease-token.js";
import type { SettleStatements } from "./statements/index.js";

/** How each lease stands, all in one statement. */
export function leaseStatuses(statements: SettleStatements, leases: readonly Lease[]): LeaseStatus[] {
  const held = statements.leases.held(leases.map(({ token }) => toNumber(token)));
  return leases.map((_, position) => held.get(position) ?? "lost");
}

/** Ends attempts, within a transaction of the caller's. */
export function settleAll(
  statements: SettleStatements,
  settlements: readonly Settlement[],
  now: number,
): SettleStatus[] {
  const leases = leaseStatuses(
    statements,
    settlements.map(({ lease }) => lease),
  );
  const ended = new Set<number>();
  const gone: LeaseKey[] = [];
  const statuses = settlements.map((settlement, position): SettleStatus => {
    const key = fromToken(settlement.lease.token);
    // A second settlement of one lease in a batch is as late as one that comes afterwards.
    if (leases[position] === "lost" || ended.has(key.seq)) return "lost";
    ended.add(key.seq);
    if (endAttempt(statements, settlement, key.seq, now)) gone.push(key);
    return "settled";
  });
  if (ended.size > 0) statements.leases.delete([...ended]);
  deleteJobs(statements, gone);
  storeOutcomes(statements, settlements, statuses, now);
  return statuses;
}

/** Puts the job where it goes next, and answers whether that is nowhere: then its row is to be deleted. */
function endAttempt(statements: SettleStatements, settlement: Settlement, seq: number, now: number): boolean {
  if (settlement.kind === "complete") return true;
  const { moving } = statements;
  const lease = statements.leases.get(seq);
  switch (settlement.kind) {
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
      const state = uncounted.attempt > 0 ? "retrying" : "scheduled";
      if (delay > 0) moving.putBack(uncounted, dueAfter(delay, now), state);
      else moving.putBack(uncounted, undefined, "ready");
      return false;
    }
  }
}

function dueAfter(delay: number, now: number): number {
  return Math.ceil(now + Math.max(0, delay));
}

/** Only a job that was claimed before can have a history. */
function deleteJobs({ moving }: SettleStatements, gone: readonly LeaseKey[]): void {
  const seqs = gone.map(({ seq }) => seq);
  moving.delete(
    seqs,
    gone.filter(({ claims }) => claims > 1).map(({ seq }) => seq),
  );
}

function storeOutcomes(
  { outcomes, sequences }: SettleStatements,
  settlements: readonly Settlement[],
  statuses: readonly SettleStatus[],
  now: number,
): void {
  const stored = settlements.flatMap((settlement, index) =>
    statuses[index] === "settled" && "outcome" in settlement && settlement.outcome ? [settlement.outcome] : [],
  );
  if (stored.length === 0) return;
  outcomes.store(stored, sequences.take("outcome", stored.length), now);
}
