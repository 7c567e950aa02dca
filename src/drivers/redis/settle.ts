import type { Settlement, SettleStatus } from "../../contracts/broker.js";
import { keyOf } from "./claimed.js";
import { outcomeArgs } from "./outcome.js";
import type { Packable } from "./wire.js";

/** Completed jobs of one claim and queue, all with outcomes or all without. */
interface Group {
  readonly queue: string;
  readonly token: string | number;
  readonly keeps: boolean;
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
  const groups: Group[] = [];
  const singles: number[] = [];
  for (let at = 0; at < settlements.length; at++) {
    const settlement = settlements[at] as Settlement;
    if (settlement.kind === "complete") addTo(groups, settlement, at);
    else singles.push(at);
  }
  // The front of a line is filled from behind, so what comes back to it together keeps its order.
  singles.sort((a, b) => b - a);
  return {
    args: [
      ...groups.map(({ queue, token, ids, outcomes }) => [queue, String(token), ids, outcomes]),
      false,
      ...singles.map((at) => single(settlements[at] as Settlement)),
    ],
    positions: [...groups.flatMap(({ positions }) => positions), ...singles],
  };
}

type Complete = Extract<Settlement, { kind: "complete" }>;

/** There are few groups, and nearly always the last one fits: it is looked at first. */
function addTo(groups: Group[], { lease, outcome }: Complete, at: number): void {
  const keeps = outcome !== undefined;
  const { queue, token } = lease;
  let group = groups.findLast((one) => one.token === token && one.queue === queue && one.keeps === keeps);
  if (group === undefined) {
    group = { queue, token, keeps, ids: [], outcomes: [], positions: [] };
    groups.push(group);
  }
  group.ids.push(keyOf(lease));
  if (outcome !== undefined) group.outcomes.push(...outcomeArgs(outcome));
  group.positions.push(at);
}

function single(settlement: Settlement): Packable {
  const { kind, lease } = settlement;
  const wait = "delay" in settlement ? Math.max(0, Math.round(settlement.delay)) : 0;
  const history = ("history" in settlement && settlement.history) || "";
  const reason = kind === "dead" ? settlement.reason : "";
  const outcome = kind === "dead" ? settlement.outcome : undefined;
  return [kind, lease.queue, String(lease.token), keyOf(lease), wait, history, reason, ...outcomeArgs(outcome)];
}

/** The script's letters, in the order of the call. */
export function settleStatuses(letters: string, { positions }: SettleCall): SettleStatus[] {
  const statuses: SettleStatus[] = new Array(positions.length).fill("lost");
  for (let at = 0; at < positions.length; at++) {
    if (letters[at] === "1") statuses[positions[at] as number] = "settled";
  }
  return statuses;
}
