import { type Figures, MEASURES, type MeasureName } from "./measures/measure.js";
import { median } from "./statistics.js";

/** A figure of ours, a peer's, and how many times better ours is: above 1 is better, whatever the unit. */
export interface Entry {
  readonly driver: string;
  readonly measure: string;
  readonly peer: string | null;
  readonly ours: number | null;
  readonly theirs: number | null;
  readonly ratio: number | null;
  readonly unit: string;
}

/** The figures of all rounds of one contestant. */
export class Tally {
  readonly #values = new Map<MeasureName, number[]>();

  add(figures: Figures): void {
    for (const [name, value] of Object.entries(figures) as [MeasureName, number][]) {
      this.#values.set(name, [...(this.#values.get(name) ?? []), value]);
    }
  }

  median(name: MeasureName): number | undefined {
    return median(this.#values.get(name) ?? []);
  }
}

/** Measures that a contestant without results has the plain figure for: to keep none or all is the same to it. */
const PLAIN: Partial<Record<MeasureName, MeasureName>> = {
  "process-with-results": "process",
  "rss-with-results": "rss",
};

interface Theirs {
  readonly name: string;
  readonly tally: Tally;
}

const ALL = Object.entries(MEASURES) as [MeasureName, (typeof MEASURES)[MeasureName]][];

/** Our entries with other settings, which `suffix` names: how fast it is. */
export function variantEntries(driver: string, ours: Tally, suffix: string): Entry[] {
  const entries = entriesOf(driver, ours).filter(({ unit }) => unit === "jobs/s");
  return entries.map((entry) => ({ ...entry, measure: `${entry.measure}${suffix}` }));
}

/** The entries of ours beside one peer, or alone. */
export function entriesOf(driver: string, ours: Tally, peer?: Theirs): Entry[] {
  return ALL.flatMap(([name, { unit, better }]) => {
    const our = ours.median(name);
    const same = our === undefined ? name : (PLAIN[name] ?? name);
    const their = peer?.tally.median(name) ?? peer?.tally.median(same);
    if (our === undefined && their === undefined) return [];
    const ratio = our === undefined || their === undefined ? undefined : better === "more" ? our / their : their / our;
    return {
      driver,
      measure: name,
      peer: peer?.name ?? null,
      ours: rounded(our),
      theirs: rounded(their),
      ratio: rounded(ratio),
      unit,
    };
  });
}

/** To three digits: more are not the same from one run to the next. */
function rounded(value: number | undefined): number | null {
  return value === undefined ? null : Number(value.toPrecision(3));
}
