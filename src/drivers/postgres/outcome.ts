import type { OutcomeRecord, TerminalState } from "../../contracts/backend.js";
import { encodeId } from "../../job/id-bytes.js";
import { bytes, integer, text } from "./cells.js";
import type { Parameter, Row } from "./database.js";
import { everyNumber, numbers, Packer, texts } from "./packing.js";

/** Kept until forgotten. */
const FOR_EVER = -1;

/** Outcomes as our functions take them: the bytes, then starts, ids, bodies; states, attempts and ttls. */
export interface PackedOutcomes {
  readonly packed: Buffer;
  readonly starts: string;
  readonly ids: string;
  readonly bodies: string;
  readonly states: string;
  readonly attempts: string;
  readonly ttls: string;
}

/** `undefined` where there is none: then its body has a length of -1. `each`: no array of one for all. */
export function packOutcomes(outcomes: readonly (OutcomeRecord | undefined)[], each = false): PackedOutcomes {
  const packer = new Packer();
  const starts: number[] = [];
  const ids: number[] = [];
  const bodies: number[] = [];
  for (const outcome of outcomes) {
    starts.push(packer.length);
    ids.push(outcome === undefined ? 0 : packer.add(encodeId(outcome.id)));
    bodies.push(packer.add(outcome?.body));
  }
  const list = each ? everyNumber : numbers;
  return {
    packed: packer.bytes(),
    starts: everyNumber(starts),
    ids: list(ids),
    bodies: list(bodies),
    states: statesOf(outcomes),
    attempts: list(outcomes.map((outcome) => outcome?.attempt ?? 0)),
    ttls: list(outcomes.map(ttlOf)),
  };
}

/** Nearly always the same for all. */
function statesOf(outcomes: readonly (OutcomeRecord | undefined)[]): string {
  const states = outcomes.map((outcome) => outcome?.state ?? "completed");
  const [first = "completed"] = states;
  return texts(states.every((state) => state === first) ? [first] : states);
}

export function ttlOf(outcome: OutcomeRecord | undefined): number {
  return outcome?.ttl === undefined ? FOR_EVER : Math.ceil(outcome.ttl);
}

/** The function `store` takes one outcome of an id in a call. Of several the one of the last attempt counts. */
function newestOfEach(outcomes: readonly OutcomeRecord[]): OutcomeRecord[] {
  const newest = new Map<string, OutcomeRecord>();
  for (const outcome of outcomes) {
    if (outcome.attempt >= (newest.get(outcome.id)?.attempt ?? 0)) newest.set(outcome.id, outcome);
  }
  return [...newest.values()];
}

export function storeCall(schema: string, outcomes: readonly OutcomeRecord[]): [string, Parameter[]] {
  const { packed, starts, ids, bodies, states, attempts, ttls } = packOutcomes(newestOfEach(outcomes));
  return [
    `SELECT ${schema}.store($1::bytea, $2::text::int[], $3::text::int[], $4::text::int[], $5::text::text[],
       $6::text::int[], $7::text::bigint[])`,
    [packed, starts, ids, bodies, states, attempts, ttls],
  ];
}

const STATES: ReadonlySet<string> = new Set<TerminalState>(["completed", "dead", "cancelled"]);

/** Of `state, attempt, body`. */
export function toOutcome(id: string, [state, attempt, body]: Row): OutcomeRecord {
  const name = text(state);
  if (!STATES.has(name)) throw new TypeError(`the database holds an outcome of unknown state ${name}`);
  return { id, state: name as TerminalState, attempt: integer(attempt), body: bytes(body) };
}
