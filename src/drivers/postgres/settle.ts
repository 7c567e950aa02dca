import type { Settlement, SettleStatus } from "../../contracts/broker.js";
import { encodeId } from "../../job/id-bytes.js";
import type { Parameter } from "./database.js";
import { packOutcomes, ttlOf } from "./outcome.js";
import { everyNumber, Packer } from "./packing.js";
import { fromToken } from "./token.js";

/** One call, and where each of its answers belongs. */
export interface SettleCall {
  readonly text: string;
  readonly values: Parameter[];
  readonly positions: readonly number[];
}

type Complete = Extract<Settlement, { kind: "complete" }>;
type Other = Exclude<Settlement, Complete>;

/** The calls that end these attempts: one for all that completed, one for all others. Each is atomic. */
export function settleCalls(schema: string, settlements: readonly Settlement[]): SettleCall[] {
  const seen = new Set<string | number>();
  const completed: number[] = [];
  const others: number[] = [];
  for (let at = 0; at < settlements.length; at++) {
    const { kind, lease } = settlements[at] as Settlement;
    // A second settlement of one lease in a batch is as late as one that comes afterwards: it is in no call, and lost.
    if (seen.has(lease.token)) continue;
    seen.add(lease.token);
    (kind === "complete" ? completed : others).push(at);
  }
  const pick = <T extends Settlement>(positions: readonly number[]) => positions.map((at) => settlements[at] as T);
  return [
    ...(completed.length > 0 ? [{ ...completeCall(schema, pick<Complete>(completed)), positions: completed }] : []),
    ...(others.length > 0 ? [{ ...putBackCall(schema, pick<Other>(others)), positions: others }] : []),
  ];
}

function completeCall(schema: string, settlements: readonly Complete[]): Omit<SettleCall, "positions"> {
  const keys = settlements.map(({ lease }) => fromToken(lease));
  const outcomes = settlements.map(({ outcome }) => outcome);
  const { packed, starts, ids, bodies, states, attempts, ttls } = packOutcomes(
    outcomes.some((outcome) => outcome !== undefined) ? outcomes : [],
  );
  return {
    text: `SELECT ${schema}.complete($1::text::bigint[], $2::text::bigint[], $3::bytea, $4::text::int[], $5::text::int[],
      $6::text::int[], $7::text::text[], $8::text::int[], $9::text::bigint[]) AS answer`,
    values: [
      everyNumber(keys.map(([claim]) => claim)),
      everyNumber(keys.map(([, seq]) => seq)),
      packed,
      starts,
      ids,
      bodies,
      states,
      attempts,
      ttls,
    ],
  };
}

function putBackCall(schema: string, settlements: readonly Other[]): Omit<SettleCall, "positions"> {
  const packer = new Packer();
  const items = settlements.map((settlement) => {
    const outcome = settlement.kind === "dead" ? settlement.outcome : undefined;
    const delay = settlement.kind === "dead" ? 0 : Math.ceil(Math.max(0, settlement.delay));
    const pastAt = packer.length;
    const past = packer.add(settlement.history);
    const outcomeAt = packer.length;
    const idLength = packer.add(outcome && encodeId(outcome.id));
    const bodyLength = packer.add(outcome?.body);
    return [
      settlement.kind,
      ...fromToken(settlement.lease),
      delay,
      settlement.kind === "dead" ? settlement.reason : "",
      pastAt,
      past,
      outcomeAt,
      idLength,
      outcome?.state ?? "",
      outcome?.attempt ?? 0,
      bodyLength,
      ttlOf(outcome),
    ];
  });
  return {
    text: `SELECT ${schema}.put_back($1::text::jsonb, $2::bytea) AS answer`,
    values: [JSON.stringify(items), packer.bytes()],
  };
}

/** Puts a function's letters where they belong; none mean that all were settled. */
export function noteStatuses(statuses: SettleStatus[], letters: string, { positions }: SettleCall): void {
  for (let at = 0; at < positions.length; at++) {
    if (letters === "" || letters[at] === "s") statuses[positions[at] as number] = "settled";
  }
}
