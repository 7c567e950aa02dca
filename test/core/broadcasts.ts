import { Taskwright } from "taskwright";
import { memory } from "taskwright/drivers/memory";
import { onTestFinished } from "vitest";

export const SILENT = { debug() {}, info() {}, warn() {}, error() {} };

/** Processes that share one place: each has its own app, with the same task, until the test ends. */
export function apps(count: number, name: string, define: (app: Taskwright, index: number) => void): Taskwright[] {
  return Array.from({ length: count }, (_, index) => {
    const app = new Taskwright({ broker: memory({ name }), logger: SILENT });
    onTestFinished(() => app.close());
    define(app, index);
    return app;
  });
}

/** Resolves when the worker has run this many broadcasts. */
export async function untilRun(events: { length: number }, count: number): Promise<void> {
  while (events.length < count) await new Promise((resolve) => setImmediate(resolve));
}
