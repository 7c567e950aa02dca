import assert from "node:assert/strict";
import type { Entry } from "./ledger.js";
import type { Exit } from "./worker-process.js";

/** One run of a job, as the ledger tells it. */
export interface Run {
  readonly id: string;
  readonly attempt: number;
  readonly pid: number;
  readonly started: number;
  /** When the handler ended or its process died. Infinite: never. */
  readonly ended: number;
  /**
   * How it went: `ended` and `failed` by itself, `completed` once the broker had confirmed it; `lost` with its lease,
   * `released` by its worker; `died` with its process before any of that; `open` where the ledger knows no end.
   */
  readonly fate: "ended" | "completed" | "failed" | "lost" | "released" | "died" | "open";
}

/** What the ledger must account for. */
export interface Account {
  /** Ids whose enqueue was acknowledged. */
  readonly acknowledged: Iterable<string>;
  /** Ids whose enqueue was never answered: they may have been run. */
  readonly unanswered?: ((id: string) => boolean) | undefined;
  readonly entries: readonly Entry[];
  /** How processes ended, by pid. */
  readonly exits: ReadonlyMap<number, Exit>;
  /** How long leases lasted, in ms; 0 where they end with their connection. */
  readonly lease: number;
  /**
   * Moving a job takes the broker two steps, so that one is there twice when the process dies that moves it. A job that
   * completed may then run again, where a process was killed before.
   */
  readonly copies?: boolean | undefined;
}

/** What an exact ledger comes to. */
export interface Audit {
  readonly runs: ReadonlyMap<string, readonly Run[]>;
  /** Runs beyond the first of a job whose previous run lost its lease: the price of at-least-once. */
  readonly repeated: number;
}

/**
 * The oracle: every acknowledged job ran, nothing else did, and a job ran again only where its previous run had failed,
 * was given back, or had lost its lease, which cannot be before its time. Two runs of a job never overlap otherwise.
 *
 * @throws AssertionError that names the first jobs of each kind of breach
 */
export function audit({ acknowledged, unanswered = () => false, entries, exits, lease, copies }: Account): Audit {
  const runs = runsOf(entries, exits);
  const known = new Set(acknowledged);
  const kills = copies ? [...exits.values()].flatMap(({ signal, at }) => (signal === "SIGKILL" ? [at] : [])) : [];
  const firstKill = Math.min(...kills);
  const isCopy = ([, after]: Pair): boolean => after.started >= firstKill;
  const breaches = {
    lost: [...known].filter((id) => !runs.has(id)),
    unexpected: [...runs.keys()].filter((id) => !known.has(id) && !unanswered(id)),
    unexplained: [...runs.values()].flatMap((job) =>
      pairs(job)
        .filter((pair) => !isExplained(pair, lease) && !isCopy(pair))
        .map(describe),
    ),
  };
  for (const [breach, found] of Object.entries(breaches)) {
    assert.deepEqual(found.slice(0, 5), [], `${found.length} ${breach}`);
  }
  const isRepeat = (pair: Pair): boolean => isLoss(pair[0]) || (pair[0].fate === "completed" && isCopy(pair));
  const repeated = [...runs.values()].flatMap(pairs).filter(isRepeat).length;
  return { runs, repeated };
}

/** The runs of each job, by attempt and beginning. */
export function runsOf(entries: readonly Entry[], exits: ReadonlyMap<number, Exit>): Map<string, Run[]> {
  const ends = endsOf(entries);
  const runs = new Map<string, Run[]>();
  for (const { what, id, attempt, pid, at } of entries) {
    if (what !== "started") continue;
    const run = {
      id,
      attempt,
      pid,
      started: at,
      ...fateOf(ends.get(keyOf({ id, attempt, pid })) ?? [], exits.get(pid)),
    };
    const others = runs.get(id);
    if (others) others.push(run);
    else runs.set(id, [run]);
  }
  for (const job of runs.values()) job.sort((a, b) => a.attempt - b.attempt || a.started - b.started);
  return runs;
}

function endsOf(entries: readonly Entry[]): Map<string, Entry[]> {
  const ends = new Map<string, Entry[]>();
  for (const entry of entries) {
    if (!["ended", "completed", "failed", "lost", "released"].includes(entry.what)) continue;
    const others = ends.get(keyOf(entry));
    if (others) others.push(entry);
    else ends.set(keyOf(entry), [entry]);
  }
  return ends;
}

function keyOf({ id, attempt, pid }: Pick<Entry, "id" | "attempt" | "pid">): string {
  return `${pid} ${attempt} ${id}`;
}

/** A handler may end well and its attempt be lost all the same, while it was being settled. */
function fateOf(ends: readonly Entry[], exit: Exit | undefined): Pick<Run, "ended" | "fate"> {
  const handler = ends.find(({ what }) => what === "ended" || what === "failed");
  const taken = ends.find(({ what }) => what === "lost" || what === "released" || what === "completed");
  const died = exit?.signal === "SIGKILL";
  const ended = handler?.at ?? exit?.at ?? Number.POSITIVE_INFINITY;
  if (taken) return { ended, fate: taken.what as "lost" | "released" | "completed" };
  if (died) return { ended, fate: "died" };
  return { ended, fate: (handler?.what as "ended" | "failed" | undefined) ?? "open" };
}

type Pair = readonly [before: Run, after: Run];

function pairs(runs: readonly Run[]): Pair[] {
  return runs.slice(1).flatMap((after, index) => {
    const before = runs[index];
    return before ? [[before, after] as const] : [];
  });
}

function isLoss({ fate }: Run): boolean {
  return fate === "lost" || fate === "died";
}

function isExplained([before, after]: Pair, lease: number): boolean {
  if (before.fate === "released") return after.attempt === before.attempt;
  if (after.attempt <= before.attempt) return false;
  if (before.fate === "failed") return before.ended <= after.started;
  return isLoss(before) && !isEarly([before, after], lease);
}

/**
 * A lease that passed to somebody else before its time. It began with the claim, a moment before the run; one that was
 * stopped in between even starts after its successor, which is no breach.
 */
function isEarly([before, after]: Pair, lease: number): boolean {
  const between = after.started - before.started;
  return between >= 0 && between < lease / 2;
}

function describe([before, after]: Pair): string {
  const overlap = before.ended > after.started ? ", which overlaps" : "";
  return `${before.id}: attempt ${before.attempt} ${before.fate} in ${before.pid}, then attempt ${after.attempt} in ${after.pid}${overlap}`;
}
