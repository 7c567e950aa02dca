import type { WorkerSettings } from "../config/schema.js";
import type { Random } from "../contracts/index.js";

/** Answers, claim after claim, the order in which to drain a worker's queues. */
export type QueueOrder = () => readonly string[];

/**
 * Strict: always as given, so a queue is served only when those before it are empty. Weighted: drawn anew for each claim,
 * a queue of weight 3 coming before one of weight 1 three times in four; no queue ever starves.
 */
export function queueOrder({ queues, order }: Pick<WorkerSettings, "queues" | "order">, random: Random): QueueOrder {
  const names = queues.map((queue) => queue.name);
  if (order === "strict" || names.length === 1) return () => names;
  // Efraimidis and Spirakis: sorting by random^(1/weight) draws without replacement in proportion to the weights.
  return () =>
    queues
      .map(({ name, weight }) => ({ name, key: random() ** (1 / weight) }))
      .sort((a, b) => b.key - a.key)
      .map(({ name }) => name);
}
