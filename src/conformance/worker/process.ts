import process from "node:process";
import { Taskwright } from "../../app.js";
import type { Driver } from "../../contracts/driver.js";
import type { Worker } from "../../worker/worker.js";
import { type Entry, LedgerWriter } from "./ledger.js";
import type { Opening, Orders, ProduceOrders, Ready, WorkOrders } from "./orders.js";
import { defineTasks, type Handlers } from "./tasks.js";

/** The exit code after a second SIGTERM: 128 and the signal's number, as shells have it. */
export const FORCED_EXIT = 143;

/** Opens the place that a URL names, for drivers that are not in the registry of URL schemes. */
export type OpenUrl = (url: string) => string | Driver;

/**
 * The program of the suite's processes: does what its first argument orders, tells its parent over the channel that
 * `child_process` opens, and ends when its parent does. A driver of one's own needs a program of its own, which is this
 * call; see `WorkerConformanceOptions.command`.
 *
 * @param open - makes a driver of the URL that the suite was given. Default: the drivers that taskwright knows.
 * @example
 * import { runConformanceProcess } from "taskwright/conformance";
 * import { sqlite } from "taskwright/drivers/sqlite";
 *
 * await runConformanceProcess((url) => sqlite({ path: new URL(url).pathname, synchronous: "NORMAL" }));
 */
export async function runConformanceProcess(open: OpenUrl = (url) => url): Promise<void> {
  process.on("disconnect", () => process.exit(1));
  const orders = JSON.parse(process.argv[2] ?? "") as Orders;
  const { broker, backend } = orders;
  const app = new Taskwright({ broker: open(broker), ...(backend !== undefined && { backend: open(backend) }) });
  if (orders.role === "work") await work(app, orders);
  else await produce(app, orders);
}

async function work(app: Taskwright, orders: WorkOrders): Promise<void> {
  const ledger = new LedgerWriter(orders.ledger, orders.tell ? tell : undefined);
  defineTasks(app, { ledger, opened: openings() });
  app.on("job:completed", ({ id, attempt }) => ledger.write("completed", id, attempt));
  app.on("job:lost", ({ id, attempt }) => ledger.write("lost", id, attempt));
  app.on("job:released", ({ id, attempt }) => ledger.write("released", id, attempt));
  app.on("worker:stopping", () => ledger.write("stopping"));
  app.on("worker:error", ({ error }) => ledger.write("error", "", 0, String(error)));
  const worker = app.worker(orders.worker);
  stopOnSignals(app, worker);
  await worker.start();
  tell({ ready: true });
}

/** As the command line does: the first SIGTERM stops in order, a second one at once. */
function stopOnSignals(app: Taskwright, worker: Worker): void {
  let signals = 0;
  process.on("SIGTERM", async () => {
    signals += 1;
    const forced = signals > 1;
    await worker.stop(forced ? { grace: 0 } : {});
    if (signals > 1 && !forced) return;
    await app.close();
    process.exit(forced ? FORCED_EXIT : 0);
  });
}

async function produce(app: Taskwright, { batch, ledger: folder }: ProduceOrders): Promise<void> {
  const ledger = new LedgerWriter(folder);
  const { note } = defineTasks(app);
  await app.connect();
  tell({ ready: true });
  for (;;) {
    const jobs = await Promise.all(Array.from({ length: batch }, () => note.enqueue()));
    for (const { id } of jobs) ledger.write("acknowledged", id);
  }
}

function tell(message: Entry | Ready): void {
  process.send?.(message);
}

/** Handlers wait here for the parent's word, which may come before they ask. */
function openings(): Handlers["opened"] {
  const opened = new Set<string>();
  const waiting = new Map<string, () => void>();
  process.on("message", ({ open }: Opening) => {
    opened.add(open);
    waiting.get(open)?.();
  });
  process.channel?.unref();
  return (id) => new Promise((resolve) => (opened.has(id) ? resolve() : void waiting.set(id, resolve)));
}
