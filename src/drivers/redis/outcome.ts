import type { OutcomeRecord, TerminalState } from "../../contracts/backend.js";

const STATES: readonly TerminalState[] = ["completed", "dead", "cancelled"];
const HEAD = 5;

/** An outcome as Redis keeps it: state (1), attempt (4), body. */
function encodeOutcome({ state, attempt, body }: OutcomeRecord): Buffer {
  const bytes = Buffer.allocUnsafe(HEAD + body.length);
  bytes[0] = STATES.indexOf(state);
  bytes.writeUInt32BE(attempt, 1);
  bytes.set(body, HEAD);
  return bytes;
}

/** Nothing where the bytes are no outcome. */
export function decodeOutcome(id: string, bytes: unknown): OutcomeRecord | undefined {
  if (!Buffer.isBuffer(bytes) || bytes.length < HEAD) return undefined;
  const state = STATES[bytes.readUInt8(0)];
  return state && { id, state, attempt: bytes.readUInt32BE(1), body: bytes.subarray(HEAD) };
}

/** What scripts take: name, value and ttl, or an empty name for no outcome. */
export function outcomeArgs(
  outcome: OutcomeRecord | undefined,
): [name: string, value: Uint8Array | string, ttl: number] {
  if (outcome === undefined) return ["", "", 0];
  // Redis refuses a ttl of 0 or a fraction of a millisecond.
  return [outcome.id, encodeOutcome(outcome), outcome.ttl === undefined ? 0 : Math.max(1, Math.ceil(outcome.ttl))];
}
