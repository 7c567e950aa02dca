import type { Taskwright } from "../app.js";
import { EXIT } from "./failure.js";
import type { LineLogger } from "./log.js";

type StopSignal = "SIGINT" | "SIGTERM";
const STOP_SIGNALS: readonly StopSignal[] = ["SIGINT", "SIGTERM"];
const FORCED_EXIT: Readonly<Record<StopSignal, number>> = { SIGINT: 130, SIGTERM: 143 };

/**
 * Runs a worker of the app until a signal stops it, and answers with the exit code. The first SIGINT or SIGTERM lets
 * running jobs finish within the grace period; the second gives them back and ends the process at once.
 */
export async function superviseWorker(app: Taskwright<unknown>, logger: LineLogger): Promise<number> {
  const signals = watchSignals();
  const worker = app.worker();
  try {
    await worker.start();
    const first = await signals.next();
    logger.info(
      { signal: first, active: worker.stats.active },
      "stopping: running jobs may finish, a second signal ends them",
    );
    const drained = worker.stop().then(() => undefined);
    const second = await Promise.race([drained, signals.next()]);
    if (second !== undefined) {
      await worker.stop({ grace: 0 });
      return FORCED_EXIT[second];
    }
    return EXIT.ok;
  } finally {
    signals.close();
    await app.close();
    logger.flush();
  }
}

interface Signals {
  /** The next signal that nobody has taken yet. */
  next(): Promise<StopSignal>;
  close(): void;
}

function watchSignals(): Signals {
  const arrived: StopSignal[] = [];
  let wake: (() => void) | undefined;
  const onSignal = (signal: NodeJS.Signals): void => {
    arrived.push(signal as StopSignal);
    wake?.();
  };
  for (const signal of STOP_SIGNALS) process.on(signal, onSignal);
  return {
    async next() {
      while (arrived.length === 0) await new Promise<void>((resolve) => (wake = resolve));
      return arrived.shift() as StopSignal;
    },
    close() {
      for (const signal of STOP_SIGNALS) process.off(signal, onSignal);
    },
  };
}
