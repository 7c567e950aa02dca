import type { JobEvent } from "../events.js";
import type { JobAccess } from "../job/handle.js";

const ENDS = [
  "job:completed",
  "job:retrying",
  "job:dead",
  "job:cancelled",
  "job:released",
  "job:lost",
] as const satisfies readonly `job:${string}`[];

/**
 * Runs jobs at their enqueue, for drivers that say so, and resolves when none of them is due or runs any more. Somebody
 * else's `drain` may have taken one of them; then its end is waited for.
 */
export async function runInline(
  { runtime, route }: JobAccess,
  ids: readonly string[],
  drain: () => Promise<unknown>,
): Promise<void> {
  const own = new Set(ids);
  const running = new Set<string>();
  let wake = (): void => {};
  const onStart = ({ id }: JobEvent): void => {
    if (own.has(id)) running.add(id);
  };
  const onEnd = ({ id }: JobEvent): void => {
    if (!own.has(id)) return;
    running.delete(id);
    wake();
  };
  const { events } = runtime;
  events.on("job:started", onStart);
  for (const name of ENDS) events.on(name, onEnd);
  try {
    for (;;) {
      const ended = new Promise<void>((resolve) => {
        wake = resolve;
      });
      await drain();
      const found = await route.requireInspector().find(ids);
      if (running.size === 0 && !found.some((job) => job?.state === "active")) return;
      await ended;
    }
  } finally {
    events.off("job:started", onStart);
    for (const name of ENDS) events.off(name, onEnd);
  }
}
