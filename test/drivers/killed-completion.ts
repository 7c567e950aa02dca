import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { currentJob, Taskwright } from "taskwright";
import { expect, onTestFinished } from "vitest";
import { ENVIRONMENT } from "../support/postgres/shared.js";
import { until } from "../support/until.js";

const PROGRAM = fileURLToPath(new URL("./fixtures/completing.ts", import.meta.url));
const JITI = fileURLToPath(new URL("../../node_modules/jiti/lib/jiti-cli.mjs", import.meta.url));

/** A connection of the test's to the database of the jobs. */
export interface Ledger {
  /** What `fixtures/completing.ts` and the task here write to: `ledger(id, attempt)`. */
  rows(): Promise<readonly Record<string, unknown>[]>;
  /** Runs as a task does that completes in its transaction. */
  transaction(work: (tx: object, run: (sql: string) => Promise<unknown>) => Promise<unknown>): Promise<unknown>;
}

/** Effect and completion of a job whose worker is killed: both are there, or neither, and then the job runs again. */
export async function killCompletion(broker: string, moment: "before" | "after", ledger: Ledger): Promise<void> {
  const app = new Taskwright({ broker, logger: ENVIRONMENT.logger });
  onTestFinished(() => app.close());
  const charge = app.task("charge", (order: number) =>
    ledger.transaction(async (tx, run) => {
      await run(`INSERT INTO ledger VALUES (${order}, ${currentJob().attempt})`);
      await currentJob().completeIn(tx, "charged");
    }),
  );
  const job = await charge.enqueue(7);
  const killed = spawn(process.execPath, [JITI, PROGRAM, broker, moment], { stdio: "ignore" });
  expect(await once(killed, "exit")).toEqual([null, "SIGKILL"]);

  if (moment === "before") {
    expect(await job.state()).toBe("active");
    expect(await ledger.rows()).toEqual([]);
  } else {
    expect(await job.result({ timeout: "1s" })).toBe("charged");
    expect(await ledger.rows()).toEqual([{ id: 7, attempt: 1 }]);
  }
  await app.worker({ sweep: "100ms", lease: "1s" }).start();
  expect(await job.result({ timeout: "20s" })).toBe("charged");
  await until("empty queues", async () => (await app.inspect.queues()).length === 0 || undefined);
  expect(await ledger.rows()).toEqual([{ id: 7, attempt: moment === "before" ? 2 : 1 }]);
}
