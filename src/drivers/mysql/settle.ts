import type { Settlement, SettleStatus } from "../../contracts/broker.js";
import type { Session } from "./client/client.js";
import type { Statements } from "./statements/index.js";
import type { StoredLease } from "./statements/leases.js";

/** Ends attempts, within a transaction of the caller's. Answers in the order given. */
export async function settleAll(
  statements: Statements,
  session: Session,
  settlements: readonly Settlement[],
): Promise<SettleStatus[]> {
  const held = await statements.leases.lock(
    session,
    settlements.map(({ lease }) => lease.id),
  );
  const ended: StoredLease[] = [];
  const gone: string[] = [];
  const settled: Settlement[] = [];
  const statuses: SettleStatus[] = [];
  for (const settlement of settlements) {
    const lease = held.get(settlement.lease.id);
    // A second settlement of one lease in a batch is as late as one that comes afterwards.
    const isHeld = lease !== undefined && lease.token === settlement.lease.token && held.delete(lease.id);
    statuses.push(isHeld ? "settled" : "lost");
    if (!isHeld) continue;
    ended.push(lease);
    settled.push(settlement);
    if (await endAttempt(statements, session, settlement, lease)) gone.push(lease.id);
  }
  await statements.leases.delete(session, ended);
  await statements.moving.delete(session, gone);
  const outcomes = settled.flatMap((one) => ("outcome" in one && one.outcome ? [one.outcome] : []));
  await statements.outcomes.store(session, outcomes);
  return statuses;
}

/** Undoes a claim. */
export async function giveBack({ leases, moving }: Statements, session: Session, token: number): Promise<void> {
  const claimed = await leases.ofClaim(session, token);
  for (const lease of claimed) {
    await moving.putBack(session, { ...lease, attempt: lease.attempt - 1 }, undefined);
  }
  await leases.delete(session, claimed);
}

/** Puts the job where it goes next, and answers whether that is nowhere: then its row is to be deleted. */
async function endAttempt(
  { moving }: Statements,
  session: Session,
  settlement: Settlement,
  lease: StoredLease,
): Promise<boolean> {
  switch (settlement.kind) {
    case "complete":
      return true;
    case "dead":
      await moving.bury(session, lease, settlement.reason, settlement.history);
      return true;
    case "retry":
      await moving.saveHistory(session, lease.id, settlement.history);
      await moving.putBack(session, lease, settlement.delay);
      return false;
    case "release": {
      const { delay, history } = settlement;
      if (history) await moving.saveHistory(session, lease.id, history);
      const uncounted = { ...lease, attempt: lease.attempt - 1 };
      await moving.putBack(session, uncounted, delay > 0 ? delay : undefined);
      return false;
    }
  }
}
