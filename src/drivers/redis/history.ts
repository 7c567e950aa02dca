import { DEAD_REASONS, type DeadReason } from "../../contracts/broker.js";
import { type Unpacked, unpack } from "./wire.js";

/** What happened to a job since it was published. Most jobs have none of it until they are done. */
export interface StoredHistory {
  /** Attempts that are over. */
  readonly attempts: number;
  readonly losses: number;
  /** Epoch ms from which it may run. Absent: since it was published. */
  readonly dueAt?: number;
  /** Epoch ms. Absent: never. */
  readonly expiresAt?: number;
  readonly history?: Buffer;
  readonly reason?: DeadReason;
}

const NONE: StoredHistory = { attempts: 0, losses: 0 };

/** Reads `{attempts, losses, due, expires, history, reason}` as scripts pack it; anything else is no history. */
export function decodeHistory(packed: Unpacked): StoredHistory {
  if (!Buffer.isBuffer(packed)) return NONE;
  const fields = unpack(packed);
  if (!Array.isArray(fields)) return NONE;
  const [attempts, losses, due, expires, history, reason] = fields;
  const said = DEAD_REASONS.find((known) => Buffer.isBuffer(reason) && known === reason.toString());
  return {
    attempts: number(attempts),
    losses: number(losses),
    ...(number(due) !== 0 && { dueAt: number(due) }),
    ...(number(expires) !== 0 && { expiresAt: number(expires) }),
    ...(Buffer.isBuffer(history) && history.length > 0 && { history }),
    ...(said !== undefined && { reason: said }),
  };
}

function number(value: Unpacked): number {
  return typeof value === "number" ? value : 0;
}
