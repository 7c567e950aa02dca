import type { OutcomeRecord, TerminalState } from "../../contracts/backend.js";
import type { Envelope } from "../../contracts/broker.js";
import { isRecord } from "../../job/is-record.js";

/** Celery's states of a job that has ended, and what each is called here. */
const ENDS: Readonly<Record<string, TerminalState>> = { SUCCESS: "completed", FAILURE: "dead", REVOKED: "cancelled" };

/** A kept result, if the job has ended. One in another serializer than JSON is an end too, which the protocol cannot read. */
export function toOutcome(id: string, value: unknown): OutcomeRecord | undefined {
  if (!Buffer.isBuffer(value)) return undefined;
  const meta = parse(value);
  if (meta === undefined) return { id, state: "dead", attempt: 1, body: value };
  const state = typeof meta.status === "string" ? ENDS[meta.status] : undefined;
  const attempt = typeof meta.retries === "number" ? meta.retries + 1 : 1;
  return state && { id, state, attempt, body: value };
}

/** What stands beside a message's body, with no runs counted: Celery counts them in its header `retries`. */
export function freshHeaders(headers: Envelope["headers"]): NonNullable<Envelope["headers"]> {
  const table = headers?.headers;
  return isRecord(table) && typeof table.retries === "number"
    ? { ...headers, headers: { ...table, retries: 0 } }
    : { ...headers };
}

function parse(value: Buffer): Readonly<Record<string, unknown>> | undefined {
  try {
    const meta: unknown = JSON.parse(value.toString());
    return isRecord(meta) ? meta : undefined;
  } catch {
    return undefined;
  }
}
