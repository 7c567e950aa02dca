import { quantile } from "../statistics.js";
import type { Figures, Trial } from "./measure.js";

/** Jobs a trial. Their mean distance keeps the load low: about 40 jobs a second, and some pauses over 100 ms. */
const JOBS = 200;
const GAP = 25;

/** So many jobs go first and are not counted, since the first of a process meet code that has never run. */
const WARM_UP = 20;

/** From the call of `enqueue` to the start of the handler, and to the result in the caller, at random moments. */
export const latency: Trial = {
  name: "latency",
  keepResults: true,
  aboutResults: false,
  ofVariants: false,
  async run(arena) {
    const producer = await arena.producer();
    const worker = await arena.worker();
    await worker.act("listen");
    const { sent, results } = await producer.act("pace", WARM_UP + JOBS, GAP);
    const started = await worker.act("started", WARM_UP + JOBS);
    const pickups = started.map((at, job) => at - (sent[job] ?? Number.NaN));
    return { ...quantiles("pickup", pickups), ...quantiles("result", results) };
  },
};

function quantiles(name: "pickup" | "result", times: readonly number[]): Figures {
  const counted = times.slice(WARM_UP);
  if (counted.length === 0) return {};
  return { [`${name}-p50`]: quantile(counted, 0.5), [`${name}-p99`]: quantile(counted, 0.99) };
}
