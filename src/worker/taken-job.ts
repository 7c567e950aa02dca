import type { ClaimedJob, Envelope } from "../contracts/index.js";

/** A job in a worker's hands: claimed under a lease, or heard as a broadcast. */
export interface TakenJob extends ClaimedJob {
  /** There is no lease to hold or to settle: as if the job had been settled before its only attempt. */
  readonly broadcast?: true;
}

/** A broadcast that was heard, as the one attempt that it has here. */
export function heardJob(envelope: Envelope): TakenJob {
  return { ...envelope, attempt: 1, token: 0, losses: 0, expired: false, broadcast: true };
}
