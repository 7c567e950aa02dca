import type { Settlement, SettleStatus } from "../../contracts/broker.js";
import { encodeId } from "../../job/id-bytes.js";
import { outcomeArgs } from "./outcome.js";
import type { Packable } from "./wire.js";

/** Completed jobs of one claim and queue, with or without outcomes. */
interface Group {
  readonly queue: string;
  readonly token: string;
  readonly ids: Uint8Array[];
  readonly outcomes: Packable[];
  /** Where each stood in the call. */
  readonly positions: number[];
}

/** What the script takes, and where each of its answers belongs. */
export interface SettleCall {
  readonly args: Packable[];
  readonly positions: readonly number[];
}

export function settleCall(settlements: readonly Settlement[]): SettleCall {
  const groups = new Map<string, Group>();
  const singles: number[] = [];
  for (let at = 0; at < settlements.length; at++) {
    const settlement = settlements[at] as Settlement;
    if (settlement.kind === "complete") addTo(groups, settlement, at);
    else singles.push(at);
  }
  // The front of a line is filled from behind, so what comes back to it together keeps its order.
  singles.sort((a, b) => b - a);
  const completed = [...groups.values()];
  return {
    args: [
      ...completed.map(({ queue, token, ids, outcomes }) => [queue, token, ids, outcomes]),
      false,
      ...singles.map((at) => single(settlements[at] as Settlement)),
    ],
    positions: [...completed.flatMap(({ positions }) => positions), ...singles],
  };
}

type Complete = Extract<Settlement, { kind: "complete" }>;

function addTo(groups: Map<string, Group>, { lease, outcome }: Complete, at: number): void {
  const token = String(lease.token);
  const key = outcome === undefined ? token : `${token}+`;
  let group = groups.get(key);
  if (group?.queue !== lease.queue) {
    group = { queue: lease.queue, token, ids: [], outcomes: [], positions: [] };
    groups.set(groups.has(key) ? `${key} ${at}` : key, group);
  }
  group.ids.push(encodeId(lease.id));
  if (outcome !== undefined) group.outcomes.push(...outcomeArgs(outcome));
  group.positions.push(at);
}

function single(settlement: Settlement): Packable {
  const { kind, lease } = settlement;
  const wait = "delay" in settlement ? Math.max(0, Math.round(settlement.delay)) : 0;
  const history = ("history" in settlement && settlement.history) || "";
  const reason = kind === "dead" ? settlement.reason : "";
  const outcome = kind === "dead" ? settlement.outcome : undefined;
  return [kind, lease.queue, String(lease.token), encodeId(lease.id), wait, history, reason, ...outcomeArgs(outcome)];
}

/** The script's letters, in the order of the call. */
export function settleStatuses(letters: string, { positions }: SettleCall): SettleStatus[] {
  const statuses: SettleStatus[] = new Array(positions.length).fill("lost");
  for (let at = 0; at < positions.length; at++) {
    if (letters[at] === "1") statuses[positions[at] as number] = "settled";
  }
  return statuses;
}
